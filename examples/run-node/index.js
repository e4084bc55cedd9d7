const http = require("node:http");

const port = process.env.PORT || 8080;
const name = process.env.NAME || "World";

const server = http.createServer((request, response) => response.end(`Hello ${name}!\n`));
server.listen(port, () => console.log(`listening on ${port}`));

process.on("SIGTERM", () => server.close());
