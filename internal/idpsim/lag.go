package idpsim

import "sync"

// replica is a copy of the directory that stays at a version while changes go on, as a replica of Entra's or Okta's that
// doesn't keep up. Some reads are answered from it, so that one can be older than the last.
type replica struct {
	mu    sync.Mutex
	on    bool
	at    int // version
	every int
	reads int
}

// ReplicaState is how a replica stands.
type ReplicaState struct {
	On     bool `json:"on"`
	Behind int  `json:"changes"` // that it lacks
	Every  int  `json:"every"`   // it answers each so-manieth read
}

// LagBehind has each every-th read answered from a replica that lacks the last changes and takes in no further ones, until
// CatchUp. Every 1 is all of them, 2 every second one.
func (t *Tenant) LagBehind(changes, every int) { t.replica.freeze(t.Version()-changes, every) }

// CatchUp has the replica take in that many changes; 0 is all of them, and ends the lag.
func (t *Tenant) CatchUp(changes int) { t.replica.advance(changes, t.Version()) }

// Replica says how the replica stands.
func (t *Tenant) Replica() ReplicaState { return t.replica.state(t.Version()) }

// LagBehind has each every-th read answered from a replica that lacks the last changes and takes in no further ones, until
// CatchUp. Every 1 is all of them, 2 every second one.
func (t *OktaTenant) LagBehind(changes, every int) { t.replica.freeze(t.Version()-changes, every) }

// CatchUp has the replica take in that many changes; 0 is all of them, and ends the lag.
func (t *OktaTenant) CatchUp(changes int) { t.replica.advance(changes, t.Version()) }

// Replica says how the replica stands.
func (t *OktaTenant) Replica() ReplicaState { return t.replica.state(t.Version()) }

func (l *replica) freeze(version, every int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on, l.at, l.every, l.reads = true, max(0, version), max(1, every), 0
}

func (l *replica) advance(changes, version int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at += changes; changes == 0 || l.at >= version {
		l.on = false
	}
}

func (l *replica) state(version int) ReplicaState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on {
		return ReplicaState{}
	}
	return ReplicaState{On: true, Behind: version - l.at, Every: l.every}
}

// read returns how many changes ago the directory is to be read as it was.
func (l *replica) read(version int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on {
		return 0
	}
	if l.reads++; l.reads%l.every != 0 {
		return 0
	}
	return version - l.at
}
