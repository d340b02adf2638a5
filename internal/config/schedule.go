package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

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
	// Lifeline is how often a delta runs while runs take the place of pushes; 0: no more often than Delta says.
	Lifeline time.Duration
	// Blackout are the windows within which no run starts by itself: see roster.NewBlackout.
	Blackout []string
}

// DefaultLifeline is how often a delta runs while runs take the place of pushes.
const DefaultLifeline = 5 * time.Minute

// readSchedule reads s, the schedule of what is called name.
func readSchedule(s *section, name string) *Schedule {
	c := &Schedule{TimeZone: DefaultTimeZone, Jitter: DefaultJitter, Lifeline: DefaultLifeline}
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
	lifeline := c.Lifeline.String()
	s.checked("lifeline", &lifeline, checkLifeline)
	if d, err := time.ParseDuration(lifeline); err == nil {
		c.Lifeline = d
	}
	s.readBlackout(c, zone)
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

// checkLifeline reads how often; "off" is 0s.
func checkLifeline(text string) (string, error) {
	if text == "off" {
		return "0s", nil
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil || d < time.Minute:
		return "", fmt.Errorf("%q is not a duration of a minute or more: write a number and a unit, such as 5m, or off", text)
	case d > 24*time.Hour:
		return "", fmt.Errorf("%q is longer than a day: write 24h or less, or off", text)
	}
	return text, nil
}

// readBlackout reads the windows within which no run starts by itself. Some time must be left.
func (s *section) readBlackout(c *Schedule, zone *time.Location) {
	before := len(s.doc.problems)
	s.entries("blackout", `- "Mon-Fri 08:00-18:00"`, func(node ast.Node) {
		text, ok := scalar(node)
		if !ok {
			s.doc.problemf(lineOf(node), "an entry of blackout must be text: %s", howToQuote(node))
			return
		}
		text = strings.Join(strings.Fields(text), " ")
		if _, err := roster.NewBlackout([]string{text}, zone); err != nil {
			s.doc.problemf(lineOf(node), "blackout %v", err)
			return
		}
		c.Blackout = append(c.Blackout, text)
	})
	windows, err := roster.NewBlackout(c.Blackout, zone)
	if err != nil || len(s.doc.problems) > before {
		return
	}
	if until, holds := windows.Holds(time.Now()); holds && until.IsZero() {
		s.doc.problemf(s.values["blackout"].line, "the windows of blackout leave no time in which a run could start: make one shorter")
	}
}

// shown is the schedule as it would be written in the file.
func (c *Schedule) shown() yaml.MapSlice {
	lifeline := "off"
	if c.Lifeline > 0 {
		lifeline = c.Lifeline.String()
	}
	out := withoutEmpty("delta", c.Delta, "full", c.Full, "timezone", c.TimeZone, "jitter", c.Jitter.String(), "lifeline", lifeline)
	if len(c.Blackout) > 0 {
		out = append(out, yaml.MapItem{Key: "blackout", Value: c.Blackout})
	}
	return out
}
