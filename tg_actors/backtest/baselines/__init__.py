"""The simple strategies that everything else is compared with: parameterised, causal, over a thousand."""
