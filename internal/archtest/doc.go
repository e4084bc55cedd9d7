// Package archtest holds the shape of the code as tests: which layer may
// import which, that every package says what it is for, and where dangerous
// imports may stand.
package archtest
