//! A scripted model behind the real model protocols, for the demo and the tests
