package media

// Grant is an entry of an access control list, in the words of the JSON API:
// allUsers, READER. Lists are kept and returned; access does not depend on them.
type Grant struct {
	Entity string `json:"entity"`
	Role   string `json:"role"`
}
