package roster

// RunPolicy is what a connection's runs may do by themselves, as it holds now: for a person to read.
type RunPolicy struct {
	DryRun bool
	Drift  map[Kind]Treatment // every kind that can be set
	Guards []GuardLimit
}

// GuardLimit is one guard with its figures.
type GuardLimit struct {
	Name    string
	Ceiling int // -1: it has none
	Floor   int
	Percent int
}
