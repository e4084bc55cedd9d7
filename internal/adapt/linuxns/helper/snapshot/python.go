package snapshot

import _ "embed"

// Python is the code that brings a Python program to where it can be kept.
//
//go:embed template.py
var Python []byte
