package logs

import (
	"fmt"
	"strconv"
	"strings"
)

// severityNames are the names of google.logging.type.LogSeverity.
var severityNames = map[Severity]string{
	Default: "DEFAULT", Debug: "DEBUG", Info: "INFO", Notice: "NOTICE", Warning: "WARNING",
	Error: "ERROR", Critical: "CRITICAL", Alert: "ALERT", Emergency: "EMERGENCY",
}

// severityWords are the spellings that Google's own agents translate, besides
// the names themselves.
var severityWords = map[string]Severity{
	"DEFAULT": Default, "DEBUG": Debug, "INFO": Info, "NOTICE": Notice, "WARNING": Warning,
	"ERROR": Error, "CRITICAL": Critical, "ALERT": Alert, "EMERGENCY": Emergency,
	"TRACE": Debug, "FINE": Debug, "FINER": Debug, "FINEST": Debug, "CONFIG": Debug,
	"INFORMATION": Info, "WARN": Warning, "ERR": Error, "SEVERE": Error,
	"CRIT": Critical, "FATAL": Critical, "EMERG": Emergency, "PANIC": Emergency,
}

// String returns the API's name, or the number of a level that has none.
func (s Severity) String() string {
	if name, ok := severityNames[s]; ok {
		return name
	}
	return strconv.Itoa(int(s))
}

// ParseSeverity reads a severity as programs write it: the API's names and the
// usual spellings in any case ("warn", "Fatal"), or a number from 0 to 800.
func ParseSeverity(s string) (Severity, error) {
	if v, ok := severityWords[strings.ToUpper(strings.TrimSpace(s))]; ok {
		return v, nil
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n <= int(Emergency) {
		return Severity(n), nil
	}
	return Default, fmt.Errorf("%q is not a severity: use DEFAULT, DEBUG, INFO, NOTICE, WARNING, ERROR, CRITICAL, ALERT, EMERGENCY or a number from 0 to 800", s)
}
