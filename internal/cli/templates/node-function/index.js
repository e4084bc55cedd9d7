exports.hello = (req, res) => {
  res.send("Hello World!\n");
};
