package mapping

import (
	"github.com/rosterd/rosterd/connectors"
)

// Explained is one line of a mapping, worked out for a person.
type Explained struct {
	Target, Source string
	Value          string
	Problem        string // why it can't be worked out; empty: it was
}

// Explain works out each managed attribute of one person, in the order of Managed: as ToMember does, with the source of each
// and what is wrong with it.
func (m Mapping) Explain(u *connectors.User) []Explained {
	w := m.ToMember(u, 0)
	out := make([]Explained, 0, len(m.Member))
	for _, path := range m.Managed() {
		x := Explained{Target: path, Source: m.Member[path]}
		value, worked := w.Values[path]
		if x.Value = value; !worked {
			if _, err := m.programs[path].Text(func(name string) string { return read(u, name) }); err != nil {
				x.Problem = err.Error()
			}
		}
		out = append(out, x)
	}
	return out
}

// Read returns the attributes of one person that the mapping reads, and the one in which the IdP keeps our id. One that they
// don't have is the empty text.
func (m Mapping) Read(u *connectors.User) map[string]string {
	out := map[string]string{}
	for _, name := range m.Sources() {
		out[name] = read(u, name)
	}
	if m.MemberID != "" {
		out[m.MemberID] = read(u, m.MemberID)
	}
	return out
}

func read(u *connectors.User, name string) string {
	if name == ObjectID {
		return u.ObjectID
	}
	return storable(u.Attributes[name])
}
