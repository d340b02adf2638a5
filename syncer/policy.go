package syncer

import "github.com/rosterd/rosterd/internal/roster"

// Policy returns what the runs of a connection may do by themselves; false: the connection has none.
func (s *Syncer) Policy(connection string) (roster.RunPolicy, bool) {
	src, ok := s.cfg.Sources[connection]
	if !ok {
		return roster.RunPolicy{}, false
	}
	p := roster.RunPolicy{DryRun: src.DryRun, Drift: map[roster.Kind]roster.Treatment{}}
	for _, kind := range roster.Treatable() {
		p.Drift[kind] = roster.TreatApply
		if t, set := src.Policy[kind]; set {
			p.Drift[kind] = t
		}
	}
	for _, g := range s.limits(&src).Named() {
		p.Guards = append(p.Guards, roster.GuardLimit{Name: g.Name, Ceiling: g.Ceiling, Floor: g.Floor, Percent: g.Percent})
	}
	return p, true
}
