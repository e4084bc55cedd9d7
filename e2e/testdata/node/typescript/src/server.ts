import { createServer } from "node:http";

const greeting: string = "Hello World!";

createServer((req, res) => res.end(greeting)).listen(process.env.PORT);
