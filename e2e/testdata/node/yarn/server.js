const http = require("node:http");
const ms = require("ms");

if (ms("1s") !== 1000) throw new Error("ms is not what package.json names");

http.createServer((req, res) => res.end("Hello World!")).listen(process.env.PORT);
