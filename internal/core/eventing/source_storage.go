package eventing

// Storage is the source of changes of objects.
type Storage struct{}

// Provider implements Source.
func (*Storage) Provider() Provider { return Provider{Name: "storage.googleapis.com"} }
