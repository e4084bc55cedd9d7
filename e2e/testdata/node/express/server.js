const express = require("express");

const app = express();

app.get("/", (req, res) => res.type("text").send("Hello World!"));

app.listen(process.env.PORT);
