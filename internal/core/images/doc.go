// Package images says what container images are called, which content a name
// stands for, and makes that content ready to run: looked up in this server's
// own registry, or pulled from the one that the name says, verified, unpacked.
package images
