package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// Schedule says when a connection runs by itself.
type Schedule struct {
	// Delta and Full are cron expressions of five fields, or descriptors; one of them may be empty.
	Delta string
	Full  string
	// TimeZone is the IANA name of the zone in which they are read.
	TimeZone string
	// Jitter is the most by which a run starts later than it is due.
	Jitter time.Duration
}

// readSchedule reads s, the schedule of what is called name.
func readSchedule(s *section, name string) *Schedule {
	c := &Schedule{TimeZone: DefaultTimeZone, Jitter: DefaultJitter}
	if s == nil {
		return c
	}
	s.checked("timezone", &c.TimeZone, checkTimeZone)
	zone, err := roster.Zone(c.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	s.checked("delta", &c.Delta, checkCron(zone))
	s.checked("full", &c.Full, checkCron(zone))
	jitter := c.Jitter.String()
	s.checked("jitter", &jitter, checkJitter)
	if d, err := time.ParseDuration(jitter); err == nil {
		c.Jitter = d
	}
	_, hasDelta := s.get("delta")
	if _, hasFull := s.get("full"); !hasFull && !hasDelta {
		s.doc.problemf(s.line, `the schedule of %s has neither delta nor full: write full: "0 3 * * *", or leave it out and runs are on demand`, name)
	}
	return c
}

func checkTimeZone(text string) (string, error) {
	_, err := roster.Zone(text)
	return text, err
}

func checkCron(zone *time.Location) func(string) (string, error) {
	return func(text string) (string, error) {
		text = strings.Join(strings.Fields(text), " ")
		_, err := roster.NewTimetable(text, zone)
		return text, err
	}
}

func checkJitter(text string) (string, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil || d < 0:
		return "", fmt.Errorf("%q is not a duration: write a number and a unit, such as 30s or 5m, or 0s for none", text)
	case d > roster.MaxJitter:
		return "", fmt.Errorf("%q is longer than an hour: write 1h or less", text)
	}
	return text, nil
}
