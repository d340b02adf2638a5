package config

import (
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/rosterd/rosterd/internal/roster"
)

// AdoptLocal says what a pull does with a local member who has the same email.
type AdoptLocal string

// The values of AdoptLocal.
const (
	AdoptNever   AdoptLocal = "never"
	AdoptByEmail AdoptLocal = "by_email"
)

// The values of the policy's mode.
const (
	modeApply  = "apply"
	modeDryRun = "dry_run"
)

// DefaultPullDeadline is how long a run may read everything where nothing else is said.
const DefaultPullDeadline = 6 * time.Hour

// Policy is what a connection's runs may do by themselves.
type Policy struct {
	// DryRun: no run of the connection writes anything but its report.
	DryRun     bool
	AdoptLocal AdoptLocal
	// Settle is the time in which a fresh push is trusted above the IdP's own answer.
	Settle time.Duration
	// RestartQuarantinedJob is the least time between two restarts of Entra's own provisioning job; 0: it is never restarted.
	RestartQuarantinedJob time.Duration
	// PullDeadline is how long a run may read everything; a delta has a twelfth of it.
	PullDeadline time.Duration
	// Drift has the kinds of drift that are not simply applied; nil: all are.
	Drift  map[roster.Kind]roster.Treatment
	Guards Guards
}

// Guard bounds what runs may do: more than Ceiling, or more than Floor that are also more than Percent of what was there,
// waits for approval.
type Guard struct{ Ceiling, Floor, Percent int }

// Share is a Guard without a ceiling of its own.
type Share struct{ Floor, Percent int }

// Guards are the limits of a connection's runs.
type Guards struct {
	Members, Memberships, Reactivations, Renames, Conflicts Guard
	Team, MappingMismatch                                   Share
}

// maxGuard is above any number that could be meant.
const maxGuard = 1_000_000_000

// DefaultGuards returns the limits of a connection that sets none.
func DefaultGuards() Guards {
	return Guards{
		Members: Guard{500, 5, 5}, Memberships: Guard{5000, 20, 10}, Reactivations: Guard{500, 5, 5},
		Renames: Guard{500, 10, 10}, Conflicts: Guard{500, 10, 20},
		Team: Share{10, 50}, MappingMismatch: Share{10, 20},
	}
}

// DefaultPolicy is the policy of a connection that sets none.
func DefaultPolicy() Policy {
	return Policy{AdoptLocal: AdoptNever, Settle: DefaultSettle, PullDeadline: DefaultPullDeadline, Guards: DefaultGuards()}
}

func policyKeys() []string {
	return []string{"mode", "adopt_local", "settle", "restart_quarantined_job", "pull_deadline", "drift", "guards"}
}

func (p *Policy) read(s *section) {
	if s == nil {
		return
	}
	mode := modeApply
	s.checked("mode", &mode, oneOf(modeApply, modeDryRun))
	p.DryRun = mode == modeDryRun
	adopt := string(p.AdoptLocal)
	s.checked("adopt_local", &adopt, checkAdoptLocal)
	p.AdoptLocal = AdoptLocal(adopt)
	settle := p.Settle.String()
	s.checked("settle", &settle, checkSettle)
	if d, err := time.ParseDuration(settle); err == nil {
		p.Settle = d
	}
	restart := p.RestartQuarantinedJob.String()
	s.checked("restart_quarantined_job", &restart, checkRestart)
	if d, err := time.ParseDuration(restart); err == nil {
		p.RestartQuarantinedJob = d
	}
	deadline := p.PullDeadline.String()
	s.checked("pull_deadline", &deadline, checkPullDeadline)
	if d, err := time.ParseDuration(deadline); err == nil {
		p.PullDeadline = d
	}
	if v, ok := s.get("drift"); ok {
		p.readDrift(s.doc.section(v.node, "drift in "+s.name, driftKeys()...))
	}
	if v, ok := s.get("guards"); ok {
		p.Guards.read(s.doc.section(v.node, "guards in "+s.name, guardKeys()...), s.name)
	}
}

// driftKeys has conflict too, so that its message can say why there is no choice.
func driftKeys() []string {
	var keys []string
	for _, kind := range roster.Treatable() {
		keys = append(keys, string(kind))
	}
	return append(keys, string(roster.ConflictKind))
}

func (p *Policy) readDrift(s *section) {
	if s == nil {
		return
	}
	if v, ok := s.get(string(roster.ConflictKind)); ok {
		s.doc.problemf(v.line, "conflict can't be set: no run acts on a conflict, it is always listed; take it out")
	}
	for _, kind := range roster.Treatable() {
		treatment := string(roster.TreatApply)
		s.checked(string(kind), &treatment, oneOf(string(roster.TreatApply), string(roster.TreatHold), string(roster.TreatReport)))
		if treatment == string(roster.TreatApply) {
			continue
		}
		if p.Drift == nil {
			p.Drift = map[roster.Kind]roster.Treatment{}
		}
		p.Drift[kind] = roster.Treatment(treatment)
	}
}

// named pairs the guards with their keys, in the order of the documentation.
func (g *Guards) named() []struct {
	key   string
	guard *Guard
	share *Share
} {
	return []struct {
		key   string
		guard *Guard
		share *Share
	}{
		{"members", &g.Members, nil}, {"memberships", &g.Memberships, nil}, {"reactivations", &g.Reactivations, nil},
		{"team", nil, &g.Team}, {"mapping_mismatch", nil, &g.MappingMismatch},
		{"renames", &g.Renames, nil}, {"conflicts", &g.Conflicts, nil},
	}
}

func guardKeys() []string {
	var keys []string
	for _, n := range (&Guards{}).named() {
		keys = append(keys, n.key)
	}
	return keys
}

func (g *Guards) read(s *section, policy string) {
	if s == nil {
		return
	}
	for _, n := range g.named() {
		v, ok := s.get(n.key)
		if !ok {
			continue
		}
		name := "the guard " + n.key + " of " + strings.TrimPrefix(policy, "the policy of ")
		if n.share != nil {
			if in := s.doc.section(v.node, name, "floor", "percent"); in != nil {
				in.number("floor", &n.share.Floor, 0, maxGuard)
				in.number("percent", &n.share.Percent, 0, 100)
			}
			continue
		}
		n.guard.read(s.doc.section(v.node, name, "ceiling", "floor", "percent"))
	}
}

// read keeps the defaults of what is not set. A default floor above the ceiling is lowered to it, which changes nothing.
func (g *Guard) read(s *section) {
	if s == nil {
		return
	}
	s.number("ceiling", &g.Ceiling, 0, maxGuard)
	s.number("percent", &g.Percent, 0, 100)
	floor, set := s.get("floor")
	_, ceilingSet := s.get("ceiling")
	s.number("floor", &g.Floor, 0, maxGuard)
	switch {
	case g.Floor <= g.Ceiling:
	case !set:
		g.Floor = g.Ceiling
	case ceilingSet:
		s.doc.problemf(floor.line, "floor %d of %s is above its ceiling %d: lower the floor, or raise the ceiling", g.Floor, s.name, g.Ceiling)
	default:
		s.doc.problemf(floor.line, "floor %d of %s is above its ceiling, which is %d where none is written: write ceiling: %d or more too",
			g.Floor, s.name, g.Ceiling, g.Floor)
	}
}

// redacted is the policy in the file's form, with every default.
func (p *Policy) redacted() yaml.MapSlice {
	mode := modeApply
	if p.DryRun {
		mode = modeDryRun
	}
	var drift, guards yaml.MapSlice
	for _, kind := range roster.Treatable() {
		treatment, set := p.Drift[kind]
		if !set {
			treatment = roster.TreatApply
		}
		drift = append(drift, yaml.MapItem{Key: string(kind), Value: string(treatment)})
	}
	for _, n := range p.Guards.named() {
		var figures yaml.MapSlice
		if n.guard != nil {
			figures = yaml.MapSlice{{Key: "ceiling", Value: n.guard.Ceiling}, {Key: "floor", Value: n.guard.Floor}, {Key: "percent", Value: n.guard.Percent}}
		} else {
			figures = yaml.MapSlice{{Key: "floor", Value: n.share.Floor}, {Key: "percent", Value: n.share.Percent}}
		}
		guards = append(guards, yaml.MapItem{Key: n.key, Value: figures})
	}
	return slices.Concat(yaml.MapSlice{
		{Key: "mode", Value: mode},
		{Key: "adopt_local", Value: string(p.AdoptLocal)},
		{Key: "settle", Value: p.Settle.String()},
		{Key: "restart_quarantined_job", Value: p.RestartQuarantinedJob.String()},
		{Key: "pull_deadline", Value: p.PullDeadline.String()},
	}, yaml.MapSlice{{Key: "drift", Value: drift}, {Key: "guards", Value: guards}})
}
