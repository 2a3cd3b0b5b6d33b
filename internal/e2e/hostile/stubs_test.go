package hostile

import "testing"

func (l *lab) references(each func(class, name string, run func(t *testing.T))) {}
func (l *lab) folders(each func(class, name string, run func(t *testing.T)))    {}
func (l *lab) registries(each func(class, name string, run func(t *testing.T))) {}
