package roster

import (
	"net/netip"
	"time"
)

// ConnectionKind says which IdP a connection ties to.
type ConnectionKind string

// The kinds of connection. KindSCIM is push only; of a KindSCIMSource, a SCIM server, everything is pulled.
const (
	KindEntra      ConnectionKind = "entra"
	KindOkta       ConnectionKind = "okta"
	KindSCIMSource ConnectionKind = "scim-source"
	KindSCIM       ConnectionKind = "scim"
)

// ConnectionState says whether a connection may run.
type ConnectionState string

// The states of a connection as stored. A detached one keeps its objects and takes pushes, but no run starts.
const (
	ConnectionOK       ConnectionState = "ok"
	ConnectionDetached ConnectionState = "detached"
)

// Connection is an organisation's tie to one IdP application. Its definition lives in the configuration file; what is
// kept here is what runs need to be safe: the pinned target, and whether a run has ever been applied whole.
type Connection struct {
	ID    string
	Org   string
	Name  string
	Kind  ConnectionKind
	State ConnectionState
	// DetachedReason says why, in words for the operator.
	DetachedReason string
	// Target names tenant and application, as the file has it now; Pinned is the one that the first run saw.
	Target string
	Pinned string
	// Settings is the fingerprint of mapping and scope; runs after a change of it are guarded as first ones.
	Settings string
	// Settled is true once a run that read every list whole was applied or approved under these settings and target.
	Settled bool
	// Managed are the attribute paths that the mapping writes.
	Managed []string
	// AdoptLocal is the policy adopt_local: by_email.
	AdoptLocal bool
	// Settle is how long a fresh push is trusted above an IdP that may answer from an older replica.
	Settle    time.Duration
	Pause     *Pause // the last one, which may have ended: see PausedAt
	Fence     int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// ObjectType says what a link, subject or event speaks of.
type ObjectType string

// The object types.
const (
	TypeMember     ObjectType = "member"
	TypeTeam       ObjectType = "team"
	TypeMembership ObjectType = "membership"
	TypeKey        ObjectType = "key"
)

// LinkState is what the IdP last said of a linked object.
type LinkState string

// The states of a link.
const (
	LinkOn   LinkState = "on"   // in scope and enabled
	LinkOff  LinkState = "off"  // disabled or out of scope
	LinkGone LinkState = "gone" // no longer there
)

// Link ties a member or team to the IdP's own object id. It is kept apart from externalId, which is an attribute like
// any other.
type Link struct {
	Org        string
	Connection string
	Type       ObjectType
	ObjectID   string // the IdP's
	TargetID   string // ours
	State      LinkState
	// SeenUserName and SeenExternalID are the match keys as a run last saw them in the IdP.
	SeenUserName   string
	SeenExternalID string
	Seen           []byte // fingerprint of what the IdP said
	Here           []byte // fingerprint of what is stored here, over the connection's managed attributes
	Rule           string // which rule made it
	CreatedAt      time.Time
}

// RuleOperator is the rule of a link that an operator made.
const RuleOperator = "operator"

// LinkRefusal is a link that an operator undid: no rule makes it again, only an operator does.
type LinkRefusal struct {
	Connection string
	Type       ObjectType
	ObjectID   string // the IdP's
	TargetID   string // ours
}

// Organisation is a tenant. Everything belongs to exactly one.
type Organisation struct {
	ID        string
	Name      string
	SCIM      bool // whether pushes are taken
	CreatedAt time.Time
}

// Token is a SCIM bearer token; only its digest is kept.
type Token struct {
	ID             string
	Org            string
	Name           string
	Connection     string // id; empty: unbound
	ConnectionName string
	Hash           []byte
	Disabled       bool
	ExpiresAt      time.Time // zero: never
	LastUsedAt     time.Time
	CreatedAt      time.Time
	// Sources are the addresses that the token is taken from; none: any.
	Sources []netip.Prefix
	// Rate is how many requests a second are taken, by each replica; 0: any number.
	Rate int
	// Warned is how many days ahead of its expiry the last warning was due; 0: none was given yet.
	Warned int
}

// APIKey opens the management API for one organisation.
type APIKey struct {
	ID        string
	Org       string
	Name      string
	Role      Role
	Hash      []byte
	ExpiresAt time.Time
	CreatedAt time.Time
}
