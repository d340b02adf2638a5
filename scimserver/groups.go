package scimserver

import (
	"bytes"
	"log/slog"
	"net/http"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// maxLoggedMembers is how many members of a group the request log may be given with an answer.
const maxLoggedMembers = 1000

func noGroup(id string) error {
	return scim.NewError(http.StatusNotFound, "no group with id %q", clip(id))
}

// readGroup is GET /Groups/{id} (RFC 7644, section 3.4.1).
func (x *exchange) readGroup() error {
	p, err := x.projection(x.s.groups)
	if err != nil {
		return err
	}
	return x.streamGroup(x.arg, p, answer{status: http.StatusOK})
}

// streamGroup answers with a group as it is stored, its members read while they are written.
func (x *exchange) streamGroup(id string, p scim.Projection, a answer) error {
	if !possibleID(id) {
		return noGroup(id)
	}
	byID := roster.Filter{Op: roster.Eq, Field: roster.FieldID, Text: id}
	if !p.Wants("members") || x.r.Method == http.MethodHead {
		found, _, err := x.s.store.ScimTeams(x.r.Context(), x.view(), &byID, 0, 2)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return noGroup(id)
		}
		a, err := x.groupAnswer(a, p, &found[0], nil)
		if err != nil {
			return err
		}
		x.send(a)
		return nil
	}
	return x.s.store.ScimTeamPage(x.r.Context(), x.view(), &byID, 0, 2, 0, func(page *store.TeamPage) error {
		if len(page.Teams) == 0 {
			return noGroup(id)
		}
		t := &page.Teams[0]
		a.version = t.Version
		return x.stream(a, func(out *patient) error {
			g := x.groupWriter(p, out)
			err := g.write(t, x.membersOf(page, t))
			return flush(g.out, err)
		})
	})
}

func (x *exchange) membersOf(page *store.TeamPage, t *roster.Team) eachMember {
	return func(fn func(store.Ref) error) error { return page.Members(x.r.Context(), t, fn) }
}

// groupAnswer renders a group with members that are at hand; nil: without.
func (x *exchange) groupAnswer(a answer, p scim.Projection, t *roster.Team, members []roster.Member) (answer, error) {
	render := func(members eachMember) ([]byte, error) {
		var out bytes.Buffer
		g := x.groupWriter(p, &out)
		err := flush(g.out, g.write(t, members))
		return out.Bytes(), err
	}
	var each eachMember
	if members != nil {
		each = func(fn func(store.Ref) error) error {
			for i := range members {
				if err := fn(store.Ref{ID: members[i].ID, Name: members[i].UserName()}); err != nil {
					return err
				}
			}
			return nil
		}
	}
	a.version = t.Version
	if a.status == http.StatusCreated {
		a.location = x.location(x.s.groups, t.ID)
	}
	var err error
	if a.body, err = render(each); err != nil {
		return answer{}, err
	}
	if len(members) > maxLoggedMembers {
		a.logged, err = render(nil)
	}
	return a, err
}

// createGroup is POST /Groups (RFC 7644, section 3.3).
func (x *exchange) createGroup() error {
	p, err := x.projection(x.s.groups)
	if err != nil {
		return err
	}
	r, err := x.groupBody()
	if err != nil {
		return err
	}
	change := roster.TeamCreate{DisplayName: text(r, "displayName"), ExternalID: text(r, "externalId"), Members: memberIDs(r)}
	return x.commitGroup(change, p, http.StatusCreated)
}

// commitGroup writes a change of which the outcome is the whole group. Of a group that came back only the store knows
// all members: they are read once it is written.
func (x *exchange) commitGroup(change roster.Change, p scim.Projection, status int) error {
	cameBack := ""
	made, err := x.write(change, func(out *roster.Outcome) (answer, error) {
		a := answer{status: status}
		cameBack = ""
		if out.Created && out.Team.Version > 1 && p.Wants("members") {
			cameBack = out.Team.ID
			return x.groupAnswer(a, p, out.Team, nil)
		}
		return x.groupAnswer(a, p, out.Team, out.TeamMembers)
	})
	if err != nil {
		return err
	}
	if cameBack != "" {
		x.sendWhole(cameBack, p, made)
		return nil
	}
	x.send(made)
	return nil
}

// sendWhole answers a write that is done with the group as it is stored, or else with the answer made without members.
func (x *exchange) sendWhole(id string, p scim.Projection, made answer) {
	if err := x.streamGroup(id, p, made); err != nil {
		x.s.log.LogAttrs(x.r.Context(), slog.LevelWarn, "SCIM answer without members",
			slog.String("request_id", x.id), slog.Any("error", err))
		x.send(made)
	}
}

// groupBody reads a whole Group.
func (x *exchange) groupBody() (scim.Resource, error) {
	if err := x.readBody(); err != nil {
		return nil, err
	}
	r, err := scim.DecodeResource(x.s.groups, x.body)
	if err != nil {
		return nil, err
	}
	return r, scim.Validate(x.s.groups, r)
}

func text(r scim.Resource, name string) string {
	s, _ := r[name].(string)
	return s
}

// memberIDs returns the ids of a Group's members.
func memberIDs(r scim.Resource) []string {
	list, _ := r["members"].([]any)
	out := make([]string, 0, len(list))
	for _, e := range list {
		m, _ := e.(map[string]any)
		out = append(out, text(m, "value"))
	}
	return out
}

// replaceGroup is PUT /Groups/{id} (RFC 7644, section 3.5.1).
func (x *exchange) replaceGroup() error {
	if !possibleID(x.arg) {
		return noGroup(x.arg)
	}
	p, err := x.projection(x.s.groups)
	if err != nil {
		return err
	}
	r, err := x.groupBody()
	if err != nil {
		return err
	}
	version, err := x.expected(x.teamVersion)
	if err != nil {
		return err
	}
	name, externalID := text(r, "displayName"), text(r, "externalId")
	return x.commitGroup(roster.TeamEdit{
		ID: x.arg, Version: version, DisplayName: &name, ExternalID: &externalID, Replace: true, Set: memberIDs(r),
	}, p, http.StatusOK)
}

// patchGroup is PATCH /Groups/{id} (RFC 7644, section 3.5.2). It answers 204 without reading the group, unless the client
// asks for attributes.
func (x *exchange) patchGroup() error {
	if !possibleID(x.arg) {
		return noGroup(x.arg)
	}
	p, err := x.projection(x.s.groups)
	if err != nil {
		return err
	}
	change, err := x.groupEdit()
	if err != nil {
		return err
	}
	made, err := x.write(change, func(out *roster.Outcome) (answer, error) {
		a := answer{status: http.StatusNoContent, version: out.Team.Version}
		if !p.Explicit() {
			return a, nil
		}
		a.status = http.StatusOK
		return x.groupAnswer(a, p, out.Team, nil)
	})
	if err != nil {
		return err
	}
	if p.Explicit() && p.Wants("members") {
		x.sendWhole(x.arg, p, made)
		return nil
	}
	x.send(made)
	return nil
}

// groupEdit reads a PATCH of a group. What it does to members is brought into one form, whatever shape it came in.
func (x *exchange) groupEdit() (roster.TeamEdit, error) {
	ops, err := x.patchBody()
	if err != nil {
		return roster.TeamEdit{}, err
	}
	edit, err := scim.ParseGroupEdit(x.s.groups, ops)
	if err != nil {
		return roster.TeamEdit{}, err
	}
	version, err := x.expected(x.teamVersion)
	if err != nil {
		return roster.TeamEdit{}, err
	}
	members := edit.Fold()
	return roster.TeamEdit{
		ID: x.arg, Version: version, DisplayName: edit.DisplayName, ExternalID: edit.ExternalID,
		Replace: members.Replace, Set: members.Set, Add: members.Add, Remove: members.Remove,
	}, nil
}

func (x *exchange) teamVersion() (int64, error) {
	byID := roster.Filter{Op: roster.Eq, Field: roster.FieldID, Text: x.arg}
	found, _, err := x.s.store.ScimTeams(x.r.Context(), x.view(), &byID, 0, 2)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, noGroup(x.arg)
	}
	return found[0].Version, nil
}

// deleteGroup is DELETE /Groups/{id} (RFC 7644, section 3.6).
func (x *exchange) deleteGroup() error {
	if !possibleID(x.arg) {
		return noGroup(x.arg)
	}
	version, err := x.expected(x.teamVersion)
	if err != nil {
		return err
	}
	return x.commit(roster.TeamDelete{ID: x.arg, Version: version}, func(*roster.Outcome) (answer, error) {
		return answer{status: http.StatusNoContent}, nil
	})
}
