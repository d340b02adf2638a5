package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// matched is what the first-link rules found for a person: one to link, a conflict, or nobody.
type matched struct {
	found    *roster.Match
	rule     string
	conflict string
	several  bool
}

// match tries the first-link rules in order; the first that finds anyone decides.
//
//	| the rule finds                                              | then          |
//	|-------------------------------------------------------------|---------------|
//	| nobody                                                      | the next rule |
//	| one of this connection's, or unclaimed, not linked here     | link          |
//	| one who is local, by email, and adopt_local is by_email     | link, adopt   |
//	| one linked here to another object, another's, or local      | conflict      |
//	| two or more                                                 | conflict      |
//
// Only the connection's own rules are tried (Rules.Match). Deleted members are no match, nor is one whose link to the person an operator undid, nor one who gives up the userName to this person in the same run, nor by email one
// whose userName is another person's there. An owner who is local is never adopted by policy.
func (r Rules) match(c *roster.MemberCandidate, there *roster.WantedMember) matched {
	for _, rule := range []string{RuleID, RuleExternalID, RuleUserName, RuleEmail} {
		if !r.uses(rule) {
			continue
		}
		var found []*roster.Match
		for i := range c.Matches {
			if m := &c.Matches[i]; matches(rule, m, there) && !slices.Contains(c.Refused, m.Member.ID) && !r.givesUp(m, c.ObjectID, there.UserName()) &&
				(rule != RuleEmail || m.Namesake == "" || m.Namesake == c.ObjectID) {
				found = append(found, m)
			}
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			return matched{found: found[0], rule: rule, conflict: r.unlinkable(found[0], c.ObjectID, rule)}
		}
		names := make([]string, len(found))
		for i, m := range found {
			names[i] = who(&m.Member)
		}
		return matched{several: true, conflict: fmt.Sprintf("several members match by %s: %s; settle it with: %s",
			rule, strings.Join(names, ", "), r.linkCommand("KEY", c.ObjectID))}
	}
	return matched{}
}

func (r Rules) uses(rule string) bool { return len(r.Match) == 0 || slices.Contains(r.Match, rule) }

func matches(rule string, m *roster.Match, there *roster.WantedMember) bool {
	if m.Member.Status == roster.Deleted {
		return false
	}
	switch rule {
	case RuleID:
		return m.ByID
	case RuleExternalID:
		return m.ByExternalID
	case RuleUserName:
		return m.ByUserName && holds(&m.Member, there.UserName())
	}
	return m.ByEmail
}

// unlinkable says why a match must not be linked; empty: it may.
func (r Rules) unlinkable(m *roster.Match, object, rule string) string {
	name, id := who(&m.Member), m.Member.ID
	switch {
	case m.LinkedObject != "" && m.LinkedObject != object:
		return fmt.Sprintf("matches by %s %s, who is linked here to another object (%s); settle it with: %s",
			rule, name, m.LinkedObject, r.linkCommand(id, object))
	case m.Member.Source == roster.SourceLocal && (!r.AdoptLocal || !m.ByEmail || m.Member.Role == roster.RoleOwner):
		return fmt.Sprintf("matches by %s %s, who is local; hand them over with: members adopt %s --connection %s",
			rule, name, id, r.name())
	case m.Member.Source != roster.SourceLocal && !r.mine(m.Member.Connection):
		return fmt.Sprintf("matches by %s %s, whom another connection (%s) owns; add a second link with: %s",
			rule, name, m.Member.Connection, r.linkCommand(id, object))
	}
	return ""
}

// holds reports whether a stored member has that userName.
func holds(m *roster.Member, name string) bool {
	return m.Status != roster.Deleted && name != "" && roster.Fold(m.UserName()) == roster.Fold(name)
}

// givesUp reports whether a match holds the name now and is renamed in this run, since the object that it is linked to
// wants another. Its rename goes first. Not renamed is who is another connection's, whom an operator switched off, who
// is excluded, and whose name stays as a push or an operator wrote it.
func (r Rules) givesUp(m *roster.Match, object, name string) bool {
	switch {
	case !holds(&m.Member, name), m.LinkedObject == "", m.LinkedObject == object,
		m.LinkedWants == "", roster.Fold(m.LinkedWants) == roster.Fold(name):
		return false
	case !r.mine(m.Member.Connection), !m.Member.Status.Live() && m.Member.OffBy == roster.ByOperator, r.Excluded.Of(m.Member.ID) != nil:
		return false
	}
	by := m.Member.UserNameBy
	return !(by == roster.ByPush || by == roster.ByOperator) || m.LinkedSeen != m.LinkedWants && !m.LinkedUnseen
}

// holder returns a member other than self who has the userName and keeps it; nil: it is free, or will be.
func (r Rules) holder(c *roster.MemberCandidate, name, self string) *roster.Match {
	for i := range c.Matches {
		m := &c.Matches[i]
		if m.Member.ID != self && holds(&m.Member, name) && !r.givesUp(m, c.ObjectID, name) {
			return m
		}
	}
	return nil
}

// givenUp reports whether the userName has to be given up by somebody other than self first.
func (r Rules) givenUp(c *roster.MemberCandidate, name, self string) bool {
	for i := range c.Matches {
		if m := &c.Matches[i]; m.Member.ID != self && r.givesUp(m, c.ObjectID, name) {
			return true
		}
	}
	return false
}

func who(m *roster.Member) string { return fmt.Sprintf("%q (%s)", m.UserName(), m.ID) }

func (r Rules) linkCommand(key, object string) string {
	s := fmt.Sprintf("members link %s --connection %s", key, r.name())
	if object != "" {
		s += " --object " + object
	}
	return s
}
