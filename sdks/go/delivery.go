package odinlib

import "fmt"

// Delivery is what became of the reports made so far.
type Delivery struct {
	// Undelivered counts the reports that nobody has acknowledged: dropped, refused, or not answered in time. Some may
	// have arrived.
	Undelivered int
	// Why, in words, when there are any.
	Why string
}

// String is what is said on stderr when a program ends.
func (delivery Delivery) String() string {
	switch delivery.Undelivered {
	case 0:
		return "all reports reached Odin"
	case 1:
		return "1 report was not delivered: " + delivery.Why
	}
	return fmt.Sprintf("%d reports were not delivered: %s", delivery.Undelivered, delivery.Why)
}
