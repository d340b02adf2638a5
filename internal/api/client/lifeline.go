package client

import "time"

// Lifeline is a time in which a connection's runs take the place of its pushes.
type Lifeline struct {
	Since  time.Time  `json:"since"`
	Cause  string     `json:"cause" enum:"quarantine,pushes_stopped"`
	Reason string     `json:"reason"`
	Until  *time.Time `json:"until,omitempty" doc:"left out: it goes on"`
	Ended  string     `json:"ended,omitempty" doc:"why it ended"`
}

// Blackout are the windows within which no run of a connection starts by itself.
type Blackout struct {
	Windows   []string   `json:"windows" doc:"as the configuration file has them"`
	TimeZone  string     `json:"timezone" doc:"of the windows"`
	Now       bool       `json:"now" doc:"one holds now"`
	Until     *time.Time `json:"until,omitempty" doc:"when the one that holds now ends"`
	Next      *time.Time `json:"next,omitempty" doc:"when the next one begins; left out: none comes"`
	NextUntil *time.Time `json:"next_until,omitempty" doc:"when that one ends"`
}
