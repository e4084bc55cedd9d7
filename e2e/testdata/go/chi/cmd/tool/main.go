// Command tool is there so that main: has something to decide.
package main

func main() {}
