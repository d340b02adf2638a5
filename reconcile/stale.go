package reconcile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// stale compares the mapped attributes and adds what differs.
//
//	| there           | here                                            | then                                   |
//	|-----------------|-------------------------------------------------|----------------------------------------|
//	| empty           | any                                             | nothing: it clears nothing             |
//	| a value         | the same bytes                                  | nothing                                |
//	| a value         | another                                         | update                                 |
//	| a match key     | another, and the link is made by email now      | none                                   |
//	| a match key     | a push's, unchanged there                       | none                                   |
//	| a match key     | a push's, changed there; or a run's, operator's | update                                 |
//	| a userName      | another, and somebody else keeps that userName  | conflict                               |
//
// Changed there means: not what a run last saw. A key that no run has seen yet is not changed; an empty one was seen if
// the link has a fingerprint, which a new mapping nulls.
func (r Rules) stale(j *judged, p person, needs []roster.Guarded) {
	update, before := map[string]string{}, map[string]string{}
	var rest []roster.Drift
	for _, path := range r.managed(p.there.Values) {
		want, have := p.there.Values[path], p.here.Attributes.Get(path)
		if want == have || want == "" && !slices.Contains(p.there.Clear, path) {
			continue
		}
		kind, why := r.keeps(p, path, want)
		if why == "" {
			update[path], before[path] = want, have
			continue
		}
		d := p.drift(kind, roster.ActNone, why)
		d.Values, d.Before = map[string]string{path: want}, map[string]string{path: have}
		d.Again = p.byEmail()
		rest = append(rest, d)
	}
	inLine := len(rest) == 0
	if len(update) > 0 {
		d := p.drift(roster.StaleMember, roster.ActUpdate, differs(before, update))
		d.Values, d.Before, d.Needs = update, before, needs
		l := p.seen(inLine)
		if v, ok := update[roster.AttrUserName]; ok {
			l.SeenUserName = v
		}
		if v, ok := update[roster.AttrExternalID]; ok {
			l.SeenExternalID = v
		}
		d.Link = &l
		j.add(d)
	}
	j.drifts = append(j.drifts, rest...)
	if needs == nil {
		j.keep(p, p.seen(inLine && len(update) == 0))
	}
}

// keeps says why a differing value is not written; empty: it is.
func (r Rules) keeps(p person, path, want string) (roster.Kind, string) {
	by, seen := p.here.ExternalIDBy, p.link.SeenExternalID
	switch path {
	case roster.AttrUserName:
		by, seen = p.here.UserNameBy, p.link.SeenUserName
	case roster.AttrExternalID:
	default:
		return "", ""
	}
	switch {
	case p.byEmail():
		return roster.StaleMember, path + " differs, but the link was made by email in this run: a match key changes no sooner than the next"
	case kept(&p.link, by, seen, want):
		return roster.StaleMember, keptReason(path)
	case path == roster.AttrUserName:
		if m := r.holder(p.c, want, p.here.ID); m != nil {
			return roster.ConflictKind, fmt.Sprintf("userName clash: %q is held by %s; rename one of them, or settle it with: %s",
				want, who(&m.Member), r.linkCommand(m.Member.ID, p.c.ObjectID))
		}
	}
	return "", ""
}

// byEmail reports whether the link is made by email in this run.
func (p *person) byEmail() bool { return p.made != LinkNone && p.link.Rule == RuleEmail }

// kept reports whether a match key stays as a push made it.
func kept(l *roster.Link, by roster.Writer, seen, want string) bool {
	return by == roster.ByPush && (seen == want || unseen(l, seen))
}

// unseen reports whether no run has seen a match key yet.
func unseen(l *roster.Link, seen string) bool { return seen == "" && l.Seen == nil }

func keptReason(path string) string {
	return path + " differs, but a push wrote it and the IdP's own value has not changed since a run last saw it"
}

// seen returns the link as this read leaves it, before any action: the state, and of the keys only what loses no
// change if the actions are held or fail: those never seen before, and those that are what is stored. The fingerprint
// says that everything is in line, so that whatever isn't is found and listed again.
func (p *person) seen(inLine bool) roster.Link {
	l := p.link
	if p.silent {
		return l
	}
	if !p.kept || p.here.Status.Live() {
		l.State = p.state
	}
	if p.there == nil {
		return l
	}
	l.SeenUserName = seenKey(&p.link, l.SeenUserName, p.there.UserName(), p.here.UserName())
	l.SeenExternalID = seenKey(&p.link, l.SeenExternalID, p.there.Values[roster.AttrExternalID], p.here.ExternalID())
	if inLine {
		l.Seen = roster.Fingerprint(p.there.Values)
	}
	return l
}

func seenKey(l *roster.Link, seen, there, here string) string {
	if there != "" && (there == here || unseen(l, seen)) {
		return there
	}
	return seen
}

// keep sets the decision's link, if it is new or changed.
func (j *judged) keep(p person, l roster.Link) {
	j.claim = p.here.Connection == ""
	switch {
	case p.made != LinkNone:
		j.link, j.change = &l, p.made
		j.reason = fmt.Sprintf("%s to %s, by %s", p.made, who(p.here), l.Rule)
	case p.c.Link != nil && (j.claim || !sameSeen(p.c.Link, &l)):
		j.link, j.change = &l, LinkSeen
	}
}

func sameSeen(a, b *roster.Link) bool {
	return a.State == b.State && a.SeenUserName == b.SeenUserName && a.SeenExternalID == b.SeenExternalID &&
		bytes.Equal(a.Seen, b.Seen)
}

// managed returns the paths of values that the mapping writes, sorted.
func (r Rules) managed(values map[string]string) []string {
	out := slices.Sorted(maps.Keys(values))
	if len(r.Managed) == 0 {
		return out
	}
	return slices.DeleteFunc(out, func(p string) bool { return !slices.Contains(r.Managed, p) })
}

// differs says what an update writes: each attribute with its value here and there.
func differs(before, values map[string]string) string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(values)) {
		out = append(out, fmt.Sprintf("%s %q -> %q", p, before[p], values[p]))
	}
	return "differs: " + strings.Join(out, ", ")
}
