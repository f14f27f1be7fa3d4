"""Breaks each rule of the policy pack in what the products really declare, and sees which rules say so."""
