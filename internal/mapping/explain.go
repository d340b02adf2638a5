package mapping

import (
	"github.com/rosterd/rosterd/connectors"
)

// Explained is one line of a mapping, worked out for a person.
type Explained struct {
	Target, Source string
	Value          string
	Default        string // what Value is where the source gives nothing
	Clear          bool   // that it gives nothing takes away what is stored
	Problem        string // why it can't be worked out; empty: it was
}

// Explain works out what decides whether the person is in scope and active, where the mapping says, and then each managed
// attribute, in the order of Managed: as ToMember does, with the source of each and what is wrong with it.
func (m Mapping) Explain(u *connectors.User) []Explained {
	get := m.reader(u)
	out := make([]Explained, 0, len(m.Member)+2)
	for _, c := range []struct {
		target string
		*condition
	}{{Scope, m.scope}, {Active, m.active}} {
		if c.condition == nil {
			continue
		}
		x := Explained{Target: c.target, Source: c.source}
		if v, err := c.holds(get); err != nil {
			x.Problem = err.Error()
		} else {
			x.Value = asText(v)
		}
		out = append(out, x)
	}
	for _, path := range m.Managed() {
		x := Explained{Target: path, Source: m.Member[path], Default: m.empty[path].value, Clear: m.empty[path].clear}
		var err error
		if x.Value, err = m.value(path, get); err != nil {
			x.Problem = err.Error()
		}
		out = append(out, x)
	}
	return out
}

// Read returns the attributes of one person that the mapping reads, and the one in which the IdP keeps our id. One that they
// don't have is the empty text.
func (m Mapping) Read(u *connectors.User) map[string]string {
	out, get := map[string]string{}, m.reader(u)
	for _, name := range m.reads() {
		out[name] = get(name)
	}
	if m.MemberID != "" {
		out[m.MemberID] = get(m.MemberID)
	}
	return out
}
