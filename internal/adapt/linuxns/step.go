package linuxns

// StepFilter returns the system call filter of build steps, which a builder
// loads for the programs that it starts in its own sandbox: base64 of struct
// sock_filter[].
func StepFilter() (string, error) { return seccompFilter(containerCaps) }
