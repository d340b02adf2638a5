package roster

import "time"

// FilterOp is an operator of a Filter. The comparisons are SCIM's (RFC 7644, section 3.4.2.2).
type FilterOp string

// The operators. Any holds if one value of a multi-valued field matches all of its term; All and None hold for everybody
// and for nobody.
const (
	And     FilterOp = "and"
	Or      FilterOp = "or"
	Not     FilterOp = "not"
	Any     FilterOp = "any"
	All     FilterOp = "all"
	None    FilterOp = "none"
	Eq      FilterOp = "eq"
	Ne      FilterOp = "ne"
	Co      FilterOp = "co"
	Sw      FilterOp = "sw"
	Ew      FilterOp = "ew"
	Gt      FilterOp = "gt"
	Ge      FilterOp = "ge"
	Lt      FilterOp = "lt"
	Le      FilterOp = "le"
	Present FilterOp = "pr"
)

// Substring reports whether the operator looks for a part of a text.
func (op FilterOp) Substring() bool { return op == Co || op == Sw || op == Ew }

// Field is something that can be filtered on and sorted by.
type Field string

// The fields.
const (
	FieldID          Field = "id"
	FieldUserName    Field = "user_name"    // of members
	FieldExternalID  Field = "external_id"  //
	FieldDisplayName Field = "display_name" // of teams
	FieldActive      Field = "active"       // of members
	FieldCreated     Field = "created_at"
	FieldModified    Field = "updated_at"
	FieldVersion     Field = "version"
	FieldMember      Field = "member"    // of teams: the members that count, and groups within; Part says what of them
	FieldTeam        Field = "team"      // of members: the teams in which they count; Part says what of them
	FieldAttribute   Field = "attribute" // of members: what Attr and Part name in Attributes
	FieldPart        Field = "part"      // within the term of an Any: what Part names in the one value
)

// Parts of a FieldMember or FieldTeam.
const (
	PartID       = "value"
	PartName     = "display"
	PartKind     = "type" // of a FieldMember "user" or "group", of a FieldTeam "direct"
	PartLocation = "$ref" // the id after Prefix, of a group within a team after GroupPrefix
)

// ComparedAs says how values of an attribute compare.
type ComparedAs string

// How values compare: text by its folded key, text as it is, and what isn't text.
const (
	AsFolded  ComparedAs = ""
	AsExact   ComparedAs = "exact"
	AsBoolean ComparedAs = "boolean"
	AsNumber  ComparedAs = "number"
	AsTime    ComparedAs = "time"
)

// Attr names one of the Attributes.
type Attr struct {
	Schema string // the URN of an extension, or empty
	Name   string // empty: the extension as a whole
	Single bool   // it has one value at most
}

// Filter is a condition on members or teams, in terms that SQL can answer. The protocol's grammar never reaches the
// store: the SCIM server lowers it to this. A comparison of a multi-valued field holds if one of its values compares so;
// Ne also holds where there is no value. Every condition is either true or false, never unknown.
type Filter struct {
	Op    FilterOp
	Field Field
	Attr  Attr       // of FieldAttribute
	Part  string     // of what has parts; empty in a Present: any part
	As    ComparedAs // of FieldAttribute and FieldPart; the other fields have their own
	// Prefix and Suffix stand around FieldID, FieldVersion and PartLocation in what is compared: they make a URL of an id,
	// an entity tag of a version.
	Prefix, Suffix, GroupPrefix string

	Text   string
	Bool   bool
	Number float64
	Time   time.Time
	Sub    []Filter
}

// Sort is an order of members or teams: by a value, those without one last, and then by id. Descending turns all of it
// around. Of several values the primary one counts, else the first.
type Sort struct {
	Field          Field
	Attr           Attr
	Part           string
	As             ComparedAs
	Prefix, Suffix string
	GroupPrefix    string
	Descending     bool
}
