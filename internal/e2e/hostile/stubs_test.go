package hostile

import "testing"

func documents() []hostile    { return nil }
func archives() []hostile     { return nil }
func compressions() []hostile { return nil }
func contents() []hostile     { return nil }

func (l *lab) references(each func(class, name string, run func(t *testing.T))) {}
func (l *lab) folders(each func(class, name string, run func(t *testing.T)))    {}
func (l *lab) registries(each func(class, name string, run func(t *testing.T))) {}
