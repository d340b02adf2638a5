package roster

import (
	"encoding/json"
	"time"
)

// ActorKind says what made a change.
type ActorKind string

// The kinds of actor.
const (
	ActorToken    ActorKind = "token"
	ActorRun      ActorKind = "run"
	ActorOperator ActorKind = "operator"
	ActorSystem   ActorKind = "system"
)

// Actor is who or what made a change.
type Actor struct {
	Kind ActorKind
	ID   string
	Name string
}

// Event is one immutable record of one change. Before and After hold only the fields that changed, so that folding an
// object's events rebuilds it.
type Event struct {
	ID        string
	Org       string
	Number    int64 // 0 until the sequencer has numbered it
	Seq       int64
	Time      time.Time
	Type      string
	Actor     Actor
	Subject   Subject
	RunID     string
	RequestID string
	Before    json.RawMessage
	After     json.RawMessage
	Reason    string
	Salt      []byte
}

// Request is one row of the request log: a SCIM request with its bodies, capped and with secrets masked.
type Request struct {
	ID           string
	Org          string
	Time         time.Time
	Method       string
	Path         string // with the query
	Status       int
	TokenID      string
	TokenName    string
	Client       string // the client's address
	UserAgent    string
	RequestBody  string
	ResponseBody string
	Duration     time.Duration
	Detail       string // for the operator: the owner of a clashing object, the reason behind a refusal
	Quirk        string // the deviations from the protocol with which it was taken, with commas
	Repeats      int
}
