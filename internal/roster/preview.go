package roster

// Preview is what a connection makes of one person, of which nothing was written.
type Preview struct {
	Key      string
	ObjectID string // the IdP's; empty: nobody there is meant by the key
	Found    bool   // the IdP knows them
	InScope  bool
	Enabled  bool
	Scope    string            // why they are in scope, or are not
	Read     map[string]string // the IdP's attributes that the mapping reads; empty text: they have none
	Values   []PreviewValue    // in the order of their targets
	There    string            // in words, as those of a run of one person
	Here     string
	MemberID string // whom they are, or would be, here; empty: nobody yet
	Link     PreviewLink
	Rule     string   // the rule that made, or would make, the link; empty: a run created the member, or there is none
	Teams    []string // names of the teams whose groups hold them
	Would    []string // what a resync would do, in its order
	Left     []string // what it would leave, and why
	Unjudged []string // why memberships could not be compared
}

// PreviewValue is one attribute of the mapping, worked out for a person.
type PreviewValue struct {
	Target string
	Source string // the IdP's attribute, or "= " and an expression
	Value  string
	Stored string
	State  PreviewState
	// Problem is why the value can't be worked out, for PreviewProblem.
	Problem string
}

// PreviewState says how a mapped value compares with what is stored.
type PreviewState string

// The states. PreviewEmpty: the mapping gives nothing, which changes nothing here. PreviewClears: it gives nothing, and what
// is stored goes.
const (
	PreviewNew     PreviewState = "new" // nobody is stored to compare with
	PreviewSame    PreviewState = "same"
	PreviewDiffers PreviewState = "differs"
	PreviewEmpty   PreviewState = "empty"
	PreviewClears  PreviewState = "clears"
	PreviewProblem PreviewState = "problem"
)

// PreviewLink says whom a person is, or would become, here.
type PreviewLink string

// The links.
const (
	PreviewLinked    PreviewLink = "linked"
	PreviewWouldLink PreviewLink = "would_link"
	PreviewWouldMove PreviewLink = "would_move"  // from a deleted member to the one that a rule finds
	PreviewAdopt     PreviewLink = "would_adopt" // a local member, whom the policy adopt_local hands over
	PreviewCreate    PreviewLink = "would_create"
	PreviewConflict  PreviewLink = "conflict" // no rule says safely who it is
	PreviewNobody    PreviewLink = "none"
)

// JobMapping is how the IdP's own job maps a person, as a connection's mapping would have it.
type JobMapping struct {
	Lines []JobMappingLine
	Left  []JobMappingLeft
}

// JobMappingLine is one line of a connection's mapping.
type JobMappingLine struct {
	Target, Source string
	From           string // what the job takes it from, as the IdP writes it
	Unsent         bool   // the job does not send it, and without the line runs would write it
}

// JobMappingLeft is what could not be translated, and why.
type JobMappingLeft struct {
	Target, From, Why string
}
