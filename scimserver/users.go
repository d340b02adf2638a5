package scimserver

import (
	"encoding/json"
	"fmt"
	"net/http"

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
	byID := roster.Filter{Op: roster.Eq, Field: roster.FieldID, Text: x.arg}
	found, _, err := x.s.store.ScimMembers(x.r.Context(), x.view(), &byID, 0, 2) // 2: a full page would be counted
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, noUser(x.arg)
	}
	return &found[0], nil
}

// readUser is GET /Users/{id} (RFC 7644, section 3.4.1).
func (x *exchange) readUser() error {
	p, err := x.projection(x.s.users)
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
	a := answer{status: status, version: m.Version, body: body}
	if status == http.StatusCreated {
		a.location = x.location(x.s.users, m.ID)
	}
	return a, nil
}

// createUser is POST /Users (RFC 7644, section 3.3). Somebody who comes back is answered like somebody new: 201.
func (x *exchange) createUser() error {
	p, err := x.projection(x.s.users)
	if err != nil {
		return err
	}
	r, err := x.userBody()
	if err != nil {
		return err
	}
	active := activeOf(r)
	change := roster.MemberCreate{Attributes: attributesOf(r), Active: active == nil || *active}
	return x.commit(change, func(out *roster.Outcome) (answer, error) {
		return x.userAnswer(http.StatusCreated, p, out.Member, nil)
	})
}

// userBody reads a whole User.
func (x *exchange) userBody() (scim.Resource, error) {
	if err := x.readBody(); err != nil {
		return nil, err
	}
	r, err := scim.DecodeResource(x.s.users, x.body)
	if err != nil {
		return nil, err
	}
	return r, scim.Validate(x.s.users, r)
}

// replaceUser is PUT /Users/{id} (RFC 7644, section 3.5.1): what the body leaves out is cleared, but for active, which
// only an explicit value changes.
func (x *exchange) replaceUser() error {
	p, err := x.projection(x.s.users)
	if err != nil {
		return err
	}
	r, err := x.userBody()
	if err != nil {
		return err
	}
	wanted, active := attributesOf(r), activeOf(r)
	return x.editUser(p, func(m roster.Member) (roster.Attributes, *bool, error) {
		if scim.Resource(wanted).Equal(scim.Resource(m.Attributes)) {
			return nil, active, nil
		}
		return wanted, active, nil
	})
}

// patchUser is PATCH /Users/{id} (RFC 7644, section 3.5.2). The stored active is kept from the operations, so that the
// result has one only if they speak of it.
func (x *exchange) patchUser() error {
	p, err := x.projection(x.s.users)
	if err != nil {
		return err
	}
	ops, err := x.patchBody()
	if err != nil {
		return err
	}
	return x.editUser(p, func(m roster.Member) (roster.Attributes, *bool, error) {
		r, changed, err := scim.ApplyPatch(x.s.users, scim.Resource(m.Attributes), ops)
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

func (x *exchange) patchBody() ([]scim.Operation, error) {
	if err := x.readBody(); err != nil {
		return nil, err
	}
	return scim.ParsePatch(x.body)
}

// editUser changes a user and answers with the result. The groups are read before the change, which doesn't touch them.
func (x *exchange) editUser(p scim.Projection, edit func(roster.Member) (roster.Attributes, *bool, error)) error {
	if !possibleID(x.arg) {
		return noUser(x.arg)
	}
	version, err := x.expected(x.memberVersion)
	if err != nil {
		return err
	}
	groups, err := x.groupsOf(p, x.arg)
	if err != nil {
		return err
	}
	return x.commit(roster.MemberEdit{ID: x.arg, Version: version, Edit: edit}, func(out *roster.Outcome) (answer, error) {
		return x.userAnswer(http.StatusOK, p, out.Member, groups)
	})
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
	if !possibleID(x.arg) {
		return noUser(x.arg)
	}
	version, err := x.expected(x.memberVersion)
	if err != nil {
		return err
	}
	return x.commit(roster.MemberDelete{ID: x.arg, Version: version}, func(*roster.Outcome) (answer, error) {
		return answer{status: http.StatusNoContent}, nil
	})
}
