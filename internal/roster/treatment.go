package roster

// Treatment is what a connection's policy has its runs do with one kind of drift.
type Treatment string

// The treatments. What is applied is still held by the guards where it crosses a limit.
const (
	TreatApply  Treatment = "apply"
	TreatHold   Treatment = "hold"   // held for approval, whatever its number
	TreatReport Treatment = "report" // listed, and nothing else
)

// Treatable returns the kinds of drift that a policy may name. A conflict has no action, and no run compares keys yet.
func Treatable() []Kind {
	return []Kind{
		MissingMember, RedundantSoftDelete, OrphanedMember, StaleMember,
		MissingTeam, OrphanedTeam, StaleTeam, MissingMembership, ExtraMembership,
	}
}
