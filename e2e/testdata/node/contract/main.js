// Answers what the contract of every language asks: see e2e/languages_test.go.
const fs = require("node:fs");
const http = require("node:http");

const GREETING = "Hello World!";

function attempt(path) {
  try {
    fs.writeFileSync(path, "x");
    return "written";
  } catch (err) {
    return `refused: ${err.code}`;
  }
}

const server = http.createServer((req, res) => {
  if (req.url === "/env") {
    res.end(JSON.stringify(process.env));
  } else if (req.url === "/disk") {
    res.end(JSON.stringify({ app: attempt("x"), tmp: attempt("/tmp/x") }));
  } else {
    res.end(GREETING);
  }
});

process.on("SIGTERM", () => {
  console.log("SIGTERM received");
  process.exit(0);
});

server.listen(process.env.PORT);
