const functions = require("@google-cloud/functions-framework");

functions.cloudEvent("hello", (event) => {
  const name = Buffer.from(event.data.message.data || "", "base64").toString();
  console.log(`Hello ${name || "World"}!`);
});
