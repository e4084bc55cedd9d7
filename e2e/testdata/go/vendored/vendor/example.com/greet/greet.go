// Package greet is nowhere but in this vendor folder.
package greet

// Whom is who is greeted.
const Whom = "vendored"
