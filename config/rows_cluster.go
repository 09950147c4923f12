package config

// clusterRows are weir's own directives of nodes that work together.
func clusterRows() []row {
	return []row{
		{name: "cluster", in: InMain, args: args0 | argsBlock, set: setCluster},
		{name: "data", in: InMain | InCluster, args: args1, set: setData},
		{name: "name", in: InCluster, args: args1, set: nodeName(func(c *Cluster) *string { return &c.Name })},
		{name: "node", in: InCluster, args: args1, set: nodeName(func(c *Cluster) *string { return &c.Node })},
		{name: "listen", in: InCluster, args: args1, set: setClusterListen},
		{name: "join", in: InCluster, args: argsMore1, many: true, set: setJoin},
		{name: "allow", in: InCluster, args: argsMore1, many: true, set: setClusterAllow},
		{name: "expect", in: InCluster, args: args1, set: setExpect},
		{name: "secret", in: InCluster, args: args1, set: setSecret},
	}
}
