// A background function of the first generation.
exports.onMessage = (message, context) => {
  console.log(`${context.eventId}: ${Buffer.from(message.data, "base64")}`);
};
