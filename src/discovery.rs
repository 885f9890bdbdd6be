//! Finding peers: keeps our own record alive, and tells the swarm whom to dial.
