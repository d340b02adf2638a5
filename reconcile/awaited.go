package reconcile

import (
	"fmt"

	"github.com/rosterd/rosterd/internal/roster"
)

// Awaited lists a member whom a push named and whom nobody here is yet. Nothing is to be done: the membership comes with
// the person, by a push or a run.
func (r Rules) Awaited(ref roster.Reference) Decision {
	named := "named as a member"
	if ref.TokenName != "" {
		named += " with the token " + ref.TokenName
	}
	if ref.RequestID != "" {
		named += ", request " + ref.RequestID
	}
	return Decision{Drifts: []roster.Drift{{
		Kind: roster.MissingMembership, Action: roster.ActNone,
		Reason: fmt.Sprintf("a push named %s, who is not here yet, as a member: awaited since %s", ref.Value, clock(ref.Since)),
		TeamID: ref.TeamID, TeamName: ref.TeamName,
		Subject:  roster.Subject{Type: roster.TypeMembership, Name: ref.Value + " in " + ref.TeamName},
		Evidence: []roster.Evidence{{Source: "push", Time: ref.Since, Text: named}},
	}}}
}
