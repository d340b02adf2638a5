package scimserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// groupOf renders a team as a Group (RFC 7643, section 4.2) without its members.
func (x *exchange) groupOf(t *roster.Team) scim.Resource {
	r := scim.Resource{
		"id": t.ID, "displayName": t.DisplayName,
		"meta": x.meta(x.s.groups, t.ID, t.Version, t.CreatedAt, t.UpdatedAt),
	}
	if t.ExternalID != "" {
		r["externalId"] = t.ExternalID
	}
	r["schemas"] = scim.SchemasOf(x.s.groups, r)
	return r
}

// eachMember calls fn for one member after the other.
type eachMember func(fn func(store.Ref) error) error

// groupWriter writes groups with any number of members, of which it holds one at a time.
type groupWriter struct {
	x          *exchange
	projection scim.Projection
	out        *bufio.Writer
	value      bool // which parts of a member are wanted
	ref        bool
	display    bool
	kind       bool
}

func (x *exchange) groupWriter(p scim.Projection, out io.Writer) *groupWriter {
	return &groupWriter{
		x: x, projection: p, out: bufio.NewWriterSize(out, 32<<10),
		value: p.Wants("members.value"), ref: p.Wants("members.$ref"), display: p.Wants("members.display"), kind: p.Wants("members.type"),
	}
}

// write writes one group; no members are written if members is nil.
func (g *groupWriter) write(t *roster.Team, members eachMember) error {
	head, err := json.Marshal(g.projection.Apply(g.x.groupOf(t)))
	if err != nil {
		return fmt.Errorf("encode group %s: %w", t.ID, err)
	}
	if members == nil || !g.projection.Wants("members") {
		_, err = g.out.Write(head)
		return err
	}
	if _, err := g.out.Write(head[:len(head)-1]); err != nil { // id and schemas are always there, so a comma follows
		return err
	}
	if _, err := g.out.WriteString(`,"members":[`); err != nil {
		return err
	}
	first := true
	err = members(func(m store.Ref) error {
		if !first {
			if err := g.out.WriteByte(','); err != nil {
				return err
			}
		}
		first = false
		return g.member(m)
	})
	if err != nil {
		return err
	}
	_, err = g.out.WriteString("]}")
	return err
}

// memberJSON is one of a Group's members (RFC 7643, section 4.2).
type memberJSON struct {
	Value   string `json:"value,omitempty"`
	Ref     string `json:"$ref,omitempty"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
}

func (g *groupWriter) member(m store.Ref) error {
	var out memberJSON
	kind := g.x.users()
	if m.Group {
		kind = g.x.s.groups
	}
	if g.value {
		out.Value = m.ID
	}
	if g.ref {
		out.Ref = g.x.location(kind, m.ID)
	}
	if g.display {
		out.Display = m.Name
	}
	if g.kind {
		out.Type = kind.Name
	}
	body, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("encode member %s: %w", m.ID, err)
	}
	_, err = g.out.Write(body)
	return err
}
