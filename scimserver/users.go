package scimserver

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver/scim"
)

func noUser(id string) error {
	return scim.NewError(http.StatusNotFound, "no user with id %q", clip(id))
}

// member reads the member that the path names, as far as the token can see it.
func (x *exchange) member() (*roster.Member, error) {
	if !possibleID(x.arg) {
		return nil, noUser(x.arg)
	}
	m, err := x.s.store.Scim(x.view()).Member(x.r.Context(), x.arg)
	if err == nil && m == nil {
		err = noUser(x.arg)
	}
	return m, err
}

// readUser is GET /Users/{id} (RFC 7644, section 3.4.1).
func (x *exchange) readUser() error {
	p, err := x.projection(x.users())
	if err != nil {
		return err
	}
	m, err := x.member()
	if err != nil {
		return err
	}
	groups, err := x.groupsOf(p, m.ID)
	if err != nil {
		return err
	}
	a, err := x.userAnswer(http.StatusOK, p, m, groups)
	if err != nil {
		return err
	}
	x.send(a)
	return nil
}

// groupsOf reads the groups of a member, suspended memberships too, unless the client doesn't want them.
func (x *exchange) groupsOf(p scim.Projection, id string) ([]store.Ref, error) {
	if !p.Wants("groups") {
		return nil, nil
	}
	return x.s.store.MemberTeams(x.r.Context(), x.view(), id)
}

func (x *exchange) userAnswer(status int, p scim.Projection, m *roster.Member, groups []store.Ref) (answer, error) {
	body, err := json.Marshal(p.Apply(x.userOf(m, groups)))
	if err != nil {
		return answer{}, fmt.Errorf("encode user %s: %w", m.ID, err)
	}
	return answer{status: status, version: m.Version, location: x.location(x.users(), m.ID), body: body}, nil
}

// createUser is POST /Users (RFC 7644, section 3.3). Somebody who comes back is answered like somebody new: 201, with the
// groups that they are in again.
func (x *exchange) createUser() error {
	p, err := x.projection(x.users())
	if err != nil {
		return err
	}
	w, err := x.userCreation(p)
	if err != nil {
		return err
	}
	made, out, err := x.write(w)
	if err != nil {
		return err
	}
	if out.Member.Version > 1 {
		made = x.withGroups(p, out.Member, made)
	}
	x.send(made)
	return nil
}

func (x *exchange) userCreation(p scim.Projection) (write, error) {
	r, err := x.userBody()
	if err != nil {
		return write{}, err
	}
	active := activeOf(r)
	change := roster.MemberCreate{Attributes: attributesOf(r), Active: active == nil || *active}
	return write{change, func(out *roster.Outcome) (answer, error) {
		return x.userAnswer(http.StatusCreated, p, out.Member, x.joined(nil, out))
	}}, nil
}

// withGroups renders a member who came back once more, with groups that only the store knows. Failing that, the answer
// stays as it was made: what it answers is done.
func (x *exchange) withGroups(p scim.Projection, m *roster.Member, made answer) answer {
	groups, err := x.groupsOf(p, m.ID)
	if err == nil && len(groups) > 0 {
		var whole answer
		if whole, err = x.userAnswer(made.status, p, m, groups); err == nil {
			return whole
		}
	}
	if err != nil {
		x.s.log.LogAttrs(x.r.Context(), slog.LevelWarn, "SCIM answer without groups",
			slog.String("request_id", x.id), slog.Any("error", err))
	}
	return made
}

// joined adds to a member's groups those that had named them before they came, as far as the token sees them.
func (x *exchange) joined(groups []store.Ref, out *roster.Outcome) []store.Ref {
	for _, t := range out.Joined {
		if c := x.token.Connection; c == "" || t.Connection == "" || t.Connection == c {
			groups = append(groups[:len(groups):len(groups)], store.Ref{ID: t.ID, Name: t.DisplayName})
		}
	}
	return groups
}

// userBody reads a whole User.
func (x *exchange) userBody() (scim.Resource, error) {
	if err := x.readBody(); err != nil {
		return nil, err
	}
	r, err := scim.DecodeResource(x.users(), x.body)
	if err != nil {
		return nil, err
	}
	return r, scim.Validate(x.users(), r)
}

// replaceUser is PUT /Users/{id} (RFC 7644, section 3.5.1): what the body leaves out is cleared, but for active, which
// only an explicit value changes, and for what is immutable.
func (x *exchange) replaceUser() error { return x.changeUser((*exchange).userReplacement) }

// patchUser is PATCH /Users/{id} (RFC 7644, section 3.5.2).
func (x *exchange) patchUser() error { return x.changeUser((*exchange).userPatch) }

func (x *exchange) changeUser(wanted func(*exchange, scim.Projection) (write, error)) error {
	p, err := x.projection(x.users())
	if err != nil {
		return err
	}
	w, err := wanted(x, p)
	if err != nil {
		return err
	}
	return x.commit(w)
}

func (x *exchange) userReplacement(p scim.Projection) (write, error) {
	r, err := x.userBody()
	if err != nil {
		return write{}, err
	}
	body, active := scim.Resource(attributesOf(r)), activeOf(r)
	return x.userEdit(p, func(m roster.Member) (roster.Attributes, *bool, error) {
		wanted, err := scim.Replacing(x.users(), scim.Resource(m.Attributes), body)
		if err != nil || wanted.Equal(scim.Resource(m.Attributes)) {
			return nil, active, err
		}
		return roster.Attributes(wanted), active, nil
	})
}

// userPatch reads a PATCH. The stored active is kept from the operations, so that the result has one only if they speak of
// it.
func (x *exchange) userPatch(p scim.Projection) (write, error) {
	ops, err := x.patchBody()
	if err != nil {
		return write{}, err
	}
	return x.userEdit(p, func(m roster.Member) (roster.Attributes, *bool, error) {
		r, changed, err := scim.ApplyPatch(x.users(), scim.Resource(m.Attributes), ops)
		if err != nil {
			return nil, nil, err
		}
		active := activeOf(r)
		if !changed || scim.Resource(attributesOf(r)).Equal(scim.Resource(m.Attributes)) {
			return nil, active, nil
		}
		return attributesOf(r), active, nil
	})
}

// patchBody reads a PATCH. Entra means an upsert by replace also in the mode in which it writes its operations small, which
// an administrator switches on by a parameter of the tenant URL.
func (x *exchange) patchBody() ([]scim.Operation, error) {
	if err := x.readBody(); err != nil {
		return nil, err
	}
	ops, err := scim.ParsePatch(x.body)
	if err == nil && (entraAgent.MatchString(x.r.UserAgent()) || x.query.Has(entraFlag)) {
		for i := range ops {
			ops[i].Makes = ops[i].Op == scim.Replace
		}
	}
	return ops, err
}

// entraFlag stands in the tenant URL of a job that keeps to the RFC in how it writes PATCH (Microsoft Learn, "Known issues and
// resolutions with SCIM 2.0 protocol compliance").
const entraFlag = "aadOptscim062020"

// entraAgent finds the provisioning service of Entra by its User-Agent.
var entraAgent = regexp.MustCompile(`(?i)azure|entra\b|microsoft|msft`)

// userEdit is a change of a user, answered with the result. The groups are read before the change, which touches none but
// those that it lets the user join.
func (x *exchange) userEdit(p scim.Projection, edit func(roster.Member) (roster.Attributes, *bool, error)) (write, error) {
	if !possibleID(x.arg) {
		return write{}, noUser(x.arg)
	}
	version, err := x.expected(x.memberVersion)
	if err != nil {
		return write{}, err
	}
	groups, err := x.groupsOf(p, x.arg)
	if err != nil {
		return write{}, err
	}
	return write{roster.MemberEdit{ID: x.arg, Version: version, Edit: edit}, func(out *roster.Outcome) (answer, error) {
		return x.userAnswer(http.StatusOK, p, out.Member, x.joined(groups, out))
	}}, nil
}

func (x *exchange) memberVersion() (int64, error) {
	m, err := x.member()
	if err != nil {
		return 0, err
	}
	return m.Version, nil
}

// deleteUser is DELETE /Users/{id} (RFC 7644, section 3.6).
func (x *exchange) deleteUser() error {
	w, err := x.userDeletion(scim.Projection{})
	if err != nil {
		return err
	}
	return x.commit(w)
}

func (x *exchange) userDeletion(scim.Projection) (write, error) {
	if !possibleID(x.arg) {
		return write{}, noUser(x.arg)
	}
	version, err := x.expected(x.memberVersion)
	return write{roster.MemberDelete{ID: x.arg, Version: version}, noContent}, err
}

func noContent(*roster.Outcome) (answer, error) { return answer{status: http.StatusNoContent}, nil }
