package roster

import "time"

// Exclusion keeps runs away from one member or team until a time: what differs of it is listed and left as it is. Pushes,
// which are the IdP's own word, are taken as ever.
type Exclusion struct {
	Org      string
	Type     ObjectType // TypeMember or TypeTeam
	TargetID string
	// Name is the member's userName or the team's displayName; empty: it is here no more.
	Name string
	// Connection is the id of the one whose runs leave the object alone; empty: all do.
	Connection     string
	ConnectionName string
	Until          time.Time
	Reason         string
	By             string
	CreatedAt      time.Time
}

// String says it in words: until when, who said so, and why.
func (e *Exclusion) String() string {
	text := "excluded until " + e.Until.UTC().Format("2006-01-02 15:04 MST")
	if e.By != "" {
		text += " by " + e.By
	}
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}
