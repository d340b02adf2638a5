package roster

import "time"

// FilterOp is an operator of a Filter. The comparisons are SCIM's (RFC 7644, section 3.4.2.2).
type FilterOp string

// The operators.
const (
	And     FilterOp = "and"
	Or      FilterOp = "or"
	Not     FilterOp = "not"
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

// Field is something that can be filtered on.
type Field string

// The fields; the last one is for teams: the id of a member that counts.
const (
	FieldID          Field = "id"
	FieldUserName    Field = "user_name"
	FieldExternalID  Field = "external_id"
	FieldDisplayName Field = "display_name"
	FieldGivenName   Field = "given_name"
	FieldFamilyName  Field = "family_name"
	FieldEmail       Field = "email"
	FieldActive      Field = "active"
	FieldCreated     Field = "created_at"
	FieldModified    Field = "updated_at"
	FieldMember      Field = "member"
)

// Filter is a condition on members or teams, in terms that SQL can answer. The protocol's grammar never reaches the
// store: the SCIM server lowers it to this.
type Filter struct {
	Op    FilterOp
	Field Field
	Text  string
	Bool  bool
	Time  time.Time
	Sub   []Filter
}
