package syncer

import "github.com/rosterd/rosterd/connectors"

// outlook works out how many objects a pull is going to read: people, groups, and memberships. It goes by what the IdP
// says, and where that says nothing by what the last run found.
type outlook struct {
	last          map[[2]string]int // how long each list was the last time
	users, groups int
	usersKnown    bool
	groupsKnown   bool
	handed        int // groups handed over
	ended         int // lists of members that ended
	members       int // in those
	rest          int // in all others, the last time
}

func newOutlook(last map[[2]string]int) outlook {
	o := outlook{last: last, users: last[[2]string{string(connectors.Users), ""}]}
	for key, n := range last {
		if key[0] == string(connectors.Members) {
			o.groups++
			o.rest += n
		}
	}
	return o
}

// expect takes in what the IdP says of a list's length.
func (o *outlook) expect(kind connectors.CollectionKind, n int) {
	switch kind {
	case connectors.Users:
		o.users, o.usersKnown = n, true
	case connectors.Teams:
		o.groups, o.groupsKnown = n, true
	case connectors.Assignments, connectors.Members:
	}
}

// end takes in how long a list was.
func (o *outlook) end(c connectors.Collection) {
	switch c.Kind {
	case connectors.Users:
		o.expect(connectors.Users, c.Count)
	case connectors.Members:
		o.ended++
		o.members += c.Count
		o.rest -= o.last[[2]string{string(c.Kind), c.ID}]
	case connectors.Assignments, connectors.Teams:
	}
}

// total returns how many objects are read in all, and whether that is an estimate; 0: it can't be said.
func (o *outlook) total() (n int, estimate bool) {
	groups, rest, all := max(o.groups, o.handed), max(0, o.rest), o.groupsKnown && o.ended >= o.groups
	if all {
		rest = 0
	}
	if len(o.last) == 0 && !o.usersKnown {
		return 0, false
	}
	return o.users + groups + o.members + rest, !o.usersKnown || !all
}
