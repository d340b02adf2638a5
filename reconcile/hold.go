package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// Held reports whether a drift is held as a whole, by which limit, and why in words. What only waits for another held
// action has the limit "".
//
//	| the drift                                     | is held                                                   |
//	|-----------------------------------------------|-----------------------------------------------------------|
//	| has the action none                           | never                                                     |
//	| is AlwaysHeld, or Waits                       | always                                                    |
//	| removes (member, membership, team)            | in a first run, and after a change of mapping or target   |
//	| is of a class whose limit was crossed         | yes                                                       |
//	| removes from a guarded team, or removes it    | if that team loses too much                               |
//	| is of a kind that the policy holds            | yes                                                       |
//	| needs what is held                            | with it                                                   |
//	| updates held attributes and nothing else      | yes; with others beside them, Split parts the two         |
func (v *Verdict) Held(d roster.Drift) (limit, note string, ok bool) {
	class := d.Guard()
	switch {
	case d.Action == roster.ActNone:
		return "", "", false
	case d.AlwaysHeld != "":
		return "unlinked", d.AlwaysHeld, true
	case d.Waits != "":
		return "", d.Waits, true
	case v.every != "" && removes(class):
		return v.every, v.text(v.every), true
	case v.classes[class] != "":
		return v.classes[class], v.text(v.classes[class]), true
	case (class == roster.GuardTeam || class == roster.GuardMembership) && v.teams[teamOf(&d)]:
		return "team", "its team would lose too much at once, or be removed", true
	case v.kinds[d.Kind]:
		return limitPolicy, "the connection's policy holds " + string(d.Kind) + " for approval", true
	}
	for _, need := range d.Needs {
		if by := v.holdsClass(need); by != "" {
			return "", "waits for what the limit " + by + " holds", true
		}
	}
	if bad := v.mismatched(&d); len(bad) > 0 && len(bad) == len(d.Values) {
		limit, note := v.heldValues(bad)
		return limit, note, true
	}
	return "", "", false
}

// Split parts a drift into what may be applied now and what is held; either may be nil. Both parts of an update that
// has held attributes beside others carry no link: only the next run knows whether everything was written.
func (v *Verdict) Split(d roster.Drift) (now, held *roster.Drift, limit, note string) {
	if limit, note, ok := v.Held(d); ok {
		return nil, &d, limit, note
	}
	bad := v.mismatched(&d)
	if len(bad) == 0 {
		return &d, nil, "", ""
	}
	rest, part := d, d
	rest.Values, rest.Before = maps.Clone(d.Values), maps.Clone(d.Before)
	part.Values, part.Before = map[string]string{}, map[string]string{}
	for _, path := range bad {
		part.Values[path], part.Before[path] = d.Values[path], d.Before[path]
		delete(rest.Values, path)
		delete(rest.Before, path)
	}
	rest.Link, part.Link = nil, nil
	rest.Reason, part.Reason = differs(rest.Before, rest.Values), differs(part.Before, part.Values)
	limit, note = v.heldValues(bad)
	return &rest, &part, limit, note
}

// heldValues names the limit that holds attributes of an update, the mismatch before the renames, and says so in words.
func (v *Verdict) heldValues(bad []string) (limit, note string) {
	var notes []string
	words := map[string]string{limitMismatch: "mapping mismatch: ", limitRenames: "too many changes of "}
	for _, by := range []string{limitMismatch, limitRenames} {
		var paths []string
		for _, path := range bad {
			if v.attributes[path] == by {
				paths = append(paths, path)
			}
		}
		if len(paths) > 0 {
			limit = cmp.Or(limit, by)
			notes = append(notes, words[by]+strings.Join(paths, ", "))
		}
	}
	return limit, strings.Join(notes, "; ")
}

// mismatched returns the attributes of an update that are held, sorted.
func (v *Verdict) mismatched(d *roster.Drift) []string {
	if d.Kind != roster.StaleMember || d.Action != roster.ActUpdate {
		return nil
	}
	var out []string
	for _, path := range slices.Sorted(maps.Keys(d.Values)) {
		if v.attributes[path] != "" {
			out = append(out, path)
		}
	}
	return out
}

func removes(class roster.Guarded) bool {
	return class == roster.GuardMember || class == roster.GuardMembership || class == roster.GuardTeam
}

// holdsClass says by which limit a whole class is held; empty: it isn't.
func (v *Verdict) holdsClass(class roster.Guarded) string {
	switch {
	case class == roster.GuardRename && v.attributes[roster.AttrUserName] != "":
		return v.attributes[roster.AttrUserName]
	case v.kinds[kindOf(class)]:
		return limitPolicy
	case removes(class) && v.every != "":
		return v.every
	}
	return v.classes[class]
}

func (v *Verdict) text(limit string) string {
	for _, l := range v.Limits {
		if l.Limit == limit {
			return l.Text
		}
	}
	return limit
}
