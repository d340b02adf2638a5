package api

import (
	"context"
	"regexp"
	"slices"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

const adoptBatch = 200

type adoptInput struct {
	InOrg
	Body client.Adopt
}

// adoptMembers hands a local member, or all whom the connection's people match, to a connection.
func (a *API) adoptMembers(ctx context.Context, s scope, in *adoptInput) (client.Adopted, error) {
	none := client.Adopted{}
	if (in.Body.Key == "") != in.Body.AllMatching {
		return none, roster.Errorf(roster.Invalid, "give either the key of one member, or all_matching")
	}
	conn, err := a.connection(ctx, s, in.Body.Connection)
	if err != nil {
		return none, err
	}
	if in.Body.AllMatching {
		return a.adoptMatching(ctx, s, &conn)
	}
	m, err := a.member(ctx, s, in.Body.Key)
	if err != nil {
		return none, err
	}
	outs, err := a.commit(ctx, s.caller, s.org.ID, roster.MemberAdopt{ID: m.ID, Connection: conn.ID})
	if err != nil {
		return none, err
	}
	adopted, err := a.wireMembers(ctx, s.org.ID, []roster.Member{*outs[0].Member})
	return client.Adopted{Adopted: adopted, Refused: []client.Refusal{}}, err
}

// adoptMatching adopts the local members who stood in the way of the connection's latest run. Owners are refused.
func (a *API) adoptMatching(ctx context.Context, s scope, conn *roster.Connection) (client.Adopted, error) {
	out := client.Adopted{Adopted: []client.Member{}, Refused: []client.Refusal{}}
	conflicts, err := a.conflicts(ctx, s, conn)
	if err != nil {
		return out, err
	}
	locals, err := a.store.LocalMembers(ctx, s.org.ID)
	if err != nil {
		return out, err
	}
	wanted, refused := matching(conflicts, locals)
	out.Refused = append(out.Refused, refused...)
	var adopted []roster.Member
	for chunk := range slices.Chunk(wanted, adoptBatch) {
		changes := make([]roster.Change, len(chunk))
		for i := range chunk {
			changes[i] = roster.MemberAdopt{ID: chunk[i].ID, Connection: conn.ID, ByPolicy: true}
		}
		outs, err := a.roster.Commit(ctx, s.org.ID, s.cause(), changes)
		if err != nil {
			return out, err
		}
		for i := range outs {
			if outs[i].Err != nil {
				out.Refused = append(out.Refused, client.Refusal{Member: chunk[i].UserName(), Reason: outs[i].Err.Message})
				continue
			}
			adopted = append(adopted, *outs[i].Member)
		}
	}
	out.Adopted, err = a.wireMembers(ctx, s.org.ID, adopted)
	return out, err
}

// conflicts returns what the connection's latest run that made a plan, dry or not, could not settle about people.
func (a *API) conflicts(ctx context.Context, s scope, conn *roster.Connection) ([]roster.Drift, error) {
	run, found, err := a.store.LatestPlan(ctx, s.org.ID, conn.ID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, roster.Errorf(roster.Conflict, "connection %s has no finished run to look people up in: run `rosterd diff --connection %s` first",
			conn.Name, conn.Name)
	}
	all, err := a.store.Conflicts(ctx, run)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(d roster.Drift) bool { return d.Subject.Type != roster.TypeMember }), nil
}

// matching finds the local members that stand in the way of somebody.
//
//	| the conflict                                             | the local member is |
//	|----------------------------------------------------------|---------------------|
//	| is about a local member                                  | adopted             |
//	| is about nobody here, and names one stored member: local | adopted             |
//	| is about nobody here, and names several, some local      | refused             |
//	| is about a scim member (a userName clash, say)           | left alone          |
func matching(conflicts []roster.Drift, locals []roster.Member) (wanted []roster.Member, refused []client.Refusal) {
	local := make(map[string]*roster.Member, len(locals))
	for i := range locals {
		local[locals[i].ID] = &locals[i]
	}
	seen := map[string]bool{}
	for i := range conflicts {
		d := &conflicts[i]
		ids := []string{d.Subject.ID}
		if d.Subject.ID == "" {
			ids = named(d)
		}
		for _, id := range ids {
			m := local[id]
			switch {
			case m == nil || seen[id]:
			case len(ids) > 1:
				refused = append(refused, client.Refusal{Member: m.UserName(), Reason: d.Reason})
			default:
				wanted = append(wanted, *m)
			}
			seen[id] = seen[id] || m != nil
		}
	}
	return wanted, refused
}

var (
	quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	idForm = regexp.MustCompile(`[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}`)
)

// named returns the ids that a conflict's reason names, other than the IdP's of its subject. What stands in quotes is a
// name that somebody chose, and is not looked at.
func named(d *roster.Drift) []string {
	var out []string
	for _, id := range idForm.FindAllString(quoted.ReplaceAllString(d.Reason, ""), -1) {
		if id != d.Subject.ObjectID && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}
