package builder

// refusal is something that a build asks for and that there is not.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }
