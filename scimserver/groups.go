package scimserver

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

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
	if !p.Wants("members") || x.r.Method == http.MethodHead {
		t, err := x.team(x.s.store.Scim(x.view()), id)
		if err != nil {
			return err
		}
		a, err := x.groupAnswer(a, p, t, nil)
		if err != nil {
			return err
		}
		x.send(a)
		return nil
	}
	return x.s.store.ScimSnapshot(x.r.Context(), x.view(), func(reader *store.ScimReader) error {
		t, err := x.team(reader, id)
		if err != nil {
			return err
		}
		a.version = t.Version
		return x.stream(a, func(out *patient) error {
			g := x.groupWriter(p, out)
			err := g.write(t, x.membersOf(reader, t))
			return flush(g.out, err)
		})
	})
}

// team reads a team as far as the token can see it.
func (x *exchange) team(reader *store.ScimReader, id string) (*roster.Team, error) {
	t, err := reader.Team(x.r.Context(), id)
	if err == nil && t == nil {
		err = noGroup(id)
	}
	return t, err
}

func (x *exchange) membersOf(reader *store.ScimReader, t *roster.Team) eachMember {
	return func(fn func(store.Ref) error) error { return reader.EachMember(x.r.Context(), t, fn) }
}

// groupAnswer renders a group with members that are at hand; nil: without.
func (x *exchange) groupAnswer(a answer, p scim.Projection, t *roster.Team, members []store.Ref) (answer, error) {
	var each eachMember
	if members != nil {
		each = func(fn func(store.Ref) error) error {
			for _, m := range members {
				if err := fn(m); err != nil {
					return err
				}
			}
			return nil
		}
	}
	a.version, a.location = t.Version, x.location(x.s.groups, t.ID)
	var out bytes.Buffer
	g := x.groupWriter(p, &out)
	err := flush(g.out, g.write(t, each))
	a.body = out.Bytes()
	return a, err
}

// createGroup is POST /Groups (RFC 7644, section 3.3).
func (x *exchange) createGroup() error { return x.commitGroup((*exchange).groupCreation) }

func (x *exchange) groupCreation(p scim.Projection) (write, error) {
	r, err := x.groupBody()
	if err != nil {
		return write{}, err
	}
	change := roster.TeamCreate{DisplayName: text(r, "displayName"), ExternalID: text(r, "externalId"), Members: memberIDs(r)}
	return write{change, x.wholeGroup(p, http.StatusCreated)}, nil
}

// replaceGroup is PUT /Groups/{id} (RFC 7644, section 3.5.1).
func (x *exchange) replaceGroup() error { return x.commitGroup((*exchange).groupReplacement) }

func (x *exchange) groupReplacement(p scim.Projection) (write, error) {
	r, err := x.groupBody()
	if err != nil {
		return write{}, err
	}
	if !possibleID(x.arg) {
		return write{}, noGroup(x.arg)
	}
	version, err := x.expected(x.teamVersion)
	name, externalID := text(r, "displayName"), text(r, "externalId")
	return write{roster.TeamEdit{
		ID: x.arg, Version: version, DisplayName: &name, ExternalID: &externalID, Replace: true, Set: memberIDs(r),
	}, x.wholeGroup(p, http.StatusOK)}, err
}

// commitGroup carries out a write of which the answer is the whole group.
func (x *exchange) commitGroup(wanted func(*exchange, scim.Projection) (write, error)) error {
	p, err := x.projection(x.s.groups)
	if err != nil {
		return err
	}
	w, err := wanted(x, p)
	if err != nil {
		return err
	}
	made, out, err := x.write(w)
	if err != nil {
		return err
	}
	if p.Wants("members") && !atHand(&out) {
		x.sendWhole(out.ID, p, made)
		return nil
	}
	x.send(made)
	return nil
}

// atHand reports whether the outcome has all members of the group, and few enough for the request log to be given them.
// Of a group that came back only the store knows all: they are read once it is written.
func atHand(out *roster.Outcome) bool {
	cameBack := out.Created && out.Team.Version > 1
	return !cameBack && len(out.TeamMembers)+len(out.TeamGroups) <= maxLoggedMembers
}

// wholeGroup renders a group with its members, where they are at hand.
func (x *exchange) wholeGroup(p scim.Projection, status int) render {
	return func(out *roster.Outcome) (answer, error) {
		a := answer{status: status, detail: unknownMembers(out)}
		if !atHand(out) {
			return x.groupAnswer(a, p, out.Team, nil)
		}
		members := make([]store.Ref, 0, len(out.TeamMembers)+len(out.TeamGroups))
		for i := range out.TeamMembers {
			members = append(members, store.Ref{ID: out.TeamMembers[i].ID, Name: out.TeamMembers[i].UserName})
		}
		for _, g := range out.TeamGroups {
			members = append(members, store.Ref{ID: g.ID, Name: g.DisplayName, Group: true})
		}
		return x.groupAnswer(a, p, out.Team, members)
	}
}

// unknownMembers tells the operator whom a push named as members that nobody here is, or is any more.
func unknownMembers(out *roster.Outcome) string {
	return sentences(
		listed("not known here, remembered until they come", out.Remembered),
		listed("deleted here, members again if they come back", out.Waiting))
}

func listed(what string, ids []string) string {
	const most = 20
	if len(ids) == 0 {
		return ""
	}
	out := fmt.Sprintf("%d of the members named are %s: %s", len(ids), what, strings.Join(ids[:min(len(ids), most)], ", "))
	if len(ids) > most {
		out += ", …"
	}
	return out
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

// patchGroup is PATCH /Groups/{id} (RFC 7644, section 3.5.2). It answers 204 without reading the group, unless the client
// asks for attributes.
func (x *exchange) patchGroup() error {
	p, err := x.projection(x.s.groups)
	if err != nil {
		return err
	}
	w, err := x.groupPatch(p)
	if err != nil {
		return err
	}
	made, _, err := x.write(w)
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

// groupPatch reads a PATCH of a group. What it does to members is brought into one form, whatever shape it came in.
func (x *exchange) groupPatch(p scim.Projection) (write, error) {
	ops, err := x.patchBody()
	if err != nil {
		return write{}, err
	}
	edit, err := scim.ParseGroupEdit(x.s.groups, ops)
	if err != nil {
		return write{}, err
	}
	if !possibleID(x.arg) {
		return write{}, noGroup(x.arg)
	}
	version, err := x.expected(x.teamVersion)
	if err != nil {
		return write{}, err
	}
	if edit.Chooses() {
		now, err := x.groupMembers()
		if err != nil {
			return write{}, err
		}
		if edit, err = edit.Choose(now); err != nil {
			return write{}, err
		}
	}
	members := edit.Fold()
	change := roster.TeamEdit{
		ID: x.arg, Version: version, DisplayName: edit.DisplayName, ExternalID: edit.ExternalID,
		Replace: members.Replace, Set: members.Set, Add: members.Add, Remove: members.Remove,
	}
	return write{change, func(out *roster.Outcome) (answer, error) {
		a := answer{
			status: http.StatusNoContent, version: out.Team.Version, location: x.location(x.s.groups, out.Team.ID), detail: unknownMembers(out),
		}
		if !p.Explicit() {
			return a, nil
		}
		a.status = http.StatusOK
		return x.groupAnswer(a, p, out.Team, nil)
	}}, nil
}

// groupMembers reads the members of a group for a filter that selects some of them by more than their id.
func (x *exchange) groupMembers() ([]scim.GroupMember, error) {
	var out []scim.GroupMember
	byID := roster.Filter{Op: roster.Eq, Field: roster.FieldID, Text: x.arg}
	err := x.s.store.ScimSnapshot(x.r.Context(), x.view(), func(r *store.ScimReader) error {
		page, err := r.Teams(x.r.Context(), store.Search{Filter: &byID, Limit: 1})
		if err != nil {
			return err
		}
		if len(page.Items) == 0 {
			return noGroup(x.arg)
		}
		return r.EachMember(x.r.Context(), page.Items[0].Team, func(m store.Ref) error {
			member := scim.GroupMember{Value: m.ID, Display: m.Name, Type: "User", Ref: x.location(x.users(), m.ID)}
			if m.Group {
				member.Type, member.Ref = "Group", x.location(x.s.groups, m.ID)
			}
			out = append(out, member)
			return nil
		})
	})
	return out, err
}

func (x *exchange) teamVersion() (int64, error) {
	t, err := x.team(x.s.store.Scim(x.view()), x.arg)
	if err != nil {
		return 0, err
	}
	return t.Version, nil
}

// deleteGroup is DELETE /Groups/{id} (RFC 7644, section 3.6).
func (x *exchange) deleteGroup() error {
	w, err := x.groupDeletion(scim.Projection{})
	if err != nil {
		return err
	}
	return x.commit(w)
}

func (x *exchange) groupDeletion(scim.Projection) (write, error) {
	if !possibleID(x.arg) {
		return write{}, noGroup(x.arg)
	}
	version, err := x.expected(x.teamVersion)
	return write{roster.TeamDelete{ID: x.arg, Version: version}, noContent}, err
}
