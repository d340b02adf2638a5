package reconcile

import (
	"maps"
	"slices"

	"github.com/rosterd/rosterd/internal/roster"
)

// first is what a snapshot comes to, and what it takes to act on it.
type first struct {
	judged
	stamp  int64 // of what the snapshot says
	silent bool  // the snapshot says nothing: it takes a second look to make anything of that
}

// settle decides whether a judgement may be acted on as it is, has to be looked at again, or, where that was done,
// what both reads agree on.
//
//	| the snapshot   | here is       | look      | then                                                         |
//	|----------------|---------------|-----------|--------------------------------------------------------------|
//	| asks no action | any           | -         | listed and linked as judged                                  |
//	| speaks         | older         | -         | act                                                          |
//	| speaks         | fresh         | none yet  | ask for a look                                               |
//	| is silent      | any           | none yet  | ask for a look                                               |
//	| any            | newer than it | made      | listed: changed while it was read (nothing if the look is    |
//	|                |               |           | in line with what is here)                                   |
//	| speaks         | older than it | made      | the actions, and of their values those, that both agree on   |
//	| is silent      | older than it | in scope  | nothing: either look that says "in scope" keeps              |
//	| is silent      | older than it | agrees    | act                                                          |
func (r Rules) settle(f first, look *int64, again func() judged) Decision {
	why := r.fresh(f.here, f.stamp)
	switch {
	case f.silent && len(f.drifts) == 0, !f.silent && !f.acts(), !f.silent && why == "":
		return f.decision()
	case look == nil && f.silent:
		why = "absent from lists read whole"
		fallthrough
	case look == nil:
		return Decision{Look: true, LookReason: why, Drifts: listed(f.drifts, "waits for a second look, as it is "+why)}
	}
	second := again()
	if f.here.after(*look) && len(second.drifts) > 0 {
		return Decision{Drifts: listed(f.drifts, "changed by a push while it was read; left to the next run")}
	}
	return agree(f, second)
}

// agree keeps of two judgements what both say. The second one's words, versions and links are kept.
func agree(f first, second judged) Decision {
	var out []roster.Drift
	acts, again := false, ""
	for _, d := range f.drifts {
		i := slices.IndexFunc(second.drifts, func(s roster.Drift) bool { return sameDrift(d, s) })
		switch {
		case i >= 0:
			both, ok := merge(d, second.drifts[i])
			if !ok {
				out = append(out, listed([]roster.Drift{d}, "a re-read does not agree; left to the next run")...)
				continue
			}
			acts = acts || both.Action != roster.ActNone
			out = append(out, both)
		case d.Action == roster.ActNone || f.silent: // of whom a list is silent, the next one is again
		case len(second.drifts) > 0:
			out = append(out, listed([]roster.Drift{d}, "a re-read does not agree; left to the next run")...)
		default:
			again = "a re-read does not agree"
		}
	}
	dec := Decision{Drifts: out, Again: again}
	switch {
	case f.pass != "" && f.pass == second.pass:
		dec.Pass = f.pass
	case f.pass != "" && !f.silent:
		dec.Again = "a re-read does not agree"
	}
	if !f.silent || acts || len(out) > 0 {
		dec.Link, dec.LinkChange, dec.LinkReason, dec.Claim = second.link, second.change, second.reason, second.claim
	}
	return dec
}

// sameDrift reports whether two reads came to the same kind of difference. Which values of an update agree is merge's.
func sameDrift(a, b roster.Drift) bool {
	return a.Kind == b.Kind && a.Action == b.Action && (a.Action == roster.ActUpdate || maps.Equal(a.Values, b.Values))
}

// merge joins the evidence of two reads, and keeps of an update the values that both want. It reports false where
// they want none in common.
func merge(a, b roster.Drift) (roster.Drift, bool) {
	evidence := slices.Clone(a.Evidence)
	for _, e := range b.Evidence {
		if !slices.Contains(evidence, e) {
			evidence = append(evidence, e)
		}
	}
	b.Evidence = evidence
	if b.Action != roster.ActUpdate {
		return b, true
	}
	values, before := map[string]string{}, map[string]string{}
	for path, v := range b.Values {
		if w, ok := a.Values[path]; ok && v == w {
			values[path], before[path] = v, b.Before[path]
		}
	}
	if len(values) != len(b.Values) {
		b.Link = nil // it says that everything was written
		b.Reason = differs(before, values)
	}
	b.Again = b.Again || len(values) != len(a.Values) || len(values) != len(b.Values)
	b.Values, b.Before = values, before
	return b, len(values) > 0
}
